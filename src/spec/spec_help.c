/* spec_help.c -- prints the reference pages schema/job.md and schema/conf.md:
 *     spec-help job > schema/job.md
 * A test holds the committed pages against the tables. */
#include "spec/conf.h"
#include "spec/job.h"

#include <stdio.h>
#include <string.h>

static const char job_head[] = "# Job file\n\n"
                               "YAML (strict subset) for people, the same as JSON on "
                               "the wire. An unknown key is an\n"
                               "error. This page is printed from the table that checks "
                               "the file: `spec-help job`.\n\n";
static const char conf_head[] =
    "# bbtd.yaml\n\n"
    "Configuration of the daemon, in the strict subset of YAML. An unknown key is an "
    "error.\n"
    "This page is printed from the table that checks the file: `spec-help conf`.\n\n";

int main(int argc, char **argv)
{
    bool conf = argc == 2 && strcmp(argv[1], "conf") == 0;
    struct bbt_buf b;
    int bad;

    if (argc != 2 || (!conf && strcmp(argv[1], "job") != 0)) {
        fprintf(stderr, "usage: spec-help job|conf\n");
        return 2;
    }
    buf_init(&b, 1u << 20);
    bad = table_help(conf ? &conf_table : &job_table, &b) != BBT_OK ||
          fputs(conf ? conf_head : job_head, stdout) < 0 ||
          fwrite(b.data, 1, b.len, stdout) != b.len || fflush(stdout) != 0;
    buf_fini(&b);
    return bad;
}
