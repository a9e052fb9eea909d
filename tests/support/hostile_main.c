/* hostile [--port N] [--unix PATH] [--scenario NAME]: prints its port, serves until
 * stdin ends. A line on stdin changes the scenario ("-": by path). For tests of the
 * programs. */
#include "hostile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv)
{
    const char *path = NULL, *scenario = NULL;
    uint16_t port = 0;
    struct hostile *h;
    char line[64];

    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--port") == 0)
            port = (uint16_t)strtoul(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--unix") == 0)
            path = argv[i + 1];
        else if (strcmp(argv[i], "--scenario") == 0)
            scenario = argv[i + 1];
        else
            return 2;
    }
    h = hostile_start(port, path);
    if (!h || !hostile_set(h, scenario)) {
        fprintf(stderr, "hostile: cannot start\n");
        return 1;
    }
    printf("%u\n", hostile_port(h));
    fflush(stdout);
    while (fgets(line, sizeof(line), stdin)) {
        line[strcspn(line, "\n")] = '\0';
        if (!hostile_set(h, strcmp(line, "-") == 0 ? NULL : line))
            fprintf(stderr, "hostile: no scenario '%s'\n", line);
    }
    hostile_stop(h);
    return 0;
}
