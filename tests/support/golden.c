#include "support/golden.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

char *golden_read(const char *path, size_t *len)
{
    FILE *f = fopen(path, "r");
    char *text = NULL;
    size_t cap = 0, n;

    if (f == NULL) {
        fprintf(stderr, "cannot read %s (run tests from the source root)\n",
                path);
        abort();
    }
    *len = 0;
    do {
        if (*len + 65536 + 1 > cap) {
            cap = cap * 2 + 65536 + 1;
            text = xrealloc(text, cap);
        }
        n = fread(text + *len, 1, 65536, f);
        *len += n;
    } while (n > 0);
    text[*len] = '\0';
    fclose(f);
    return text;
}

static void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");

    if (f == NULL || fputs(text, f) < 0 || fclose(f) != 0) {
        fprintf(stderr, "cannot write %s\n", path);
        abort();
    }
}

static void show_diff(const char *path, const char *text)
{
    char got[] = "/tmp/golden-XXXXXX";
    cleanup_free char *cmd = NULL;
    int fd = mkstemp(got);

    if (fd < 0)
        abort();
    close(fd);
    write_file(got, text);
    cmd = xasprintf("diff -u '%s' '%s' >&2", path, got);
    if (system(cmd) == 0)
        fprintf(stderr, "%s: differs only in NUL bytes\n", path);
    unlink(got);
}

bool golden_equal(const char *path, const char *text)
{
    const char *mode = getenv("GOLDEN");
    cleanup_free char *want = NULL;
    size_t len;

    if (mode != NULL && strcmp(mode, "write") == 0) {
        write_file(path, text);
        return true;
    }
    if (access(path, R_OK) < 0) {
        fprintf(stderr, "%s is missing: make golden\n", path);
        return false;
    }
    want = golden_read(path, &len);
    if (strcmp(want, text) == 0)
        return true;
    show_diff(path, text);
    return false;
}
