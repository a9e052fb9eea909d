"""Writes the migrations in schema/ as a C table: embed.py OUT.c 001_x.sql 002_y.sql ..."""
import os
import sys


def literal(text):
    lines = []
    for line in text.splitlines():
        quoted = line.replace("\\", "\\\\").replace('"', '\\"')
        lines.append(f'        "{quoted}\\n"')
    return "\n".join(lines)


def main():
    out, files = sys.argv[1], sorted(sys.argv[2:], key=os.path.basename)
    rows = []
    for number, path in enumerate(files, 1):
        name = os.path.basename(path)
        if int(name.split("_")[0]) != number:
            sys.exit(f"{name}: migrations count 001, 002, ... without gaps")
        with open(path, encoding="ascii") as f:
            rows.append(f'    {{{number}, "{name}",\n{literal(f.read())}}},')
    with open(out, "w", encoding="ascii") as f:
        f.write('/* made by embed.py from schema/ */\n#include "store/migrate.h"\n\n')
        f.write("const struct migration migrate_all[] = {\n" + "\n".join(rows) + "\n};\n")
        f.write(f"const size_t migrate_all_nr = {len(rows)};\n")


main()
