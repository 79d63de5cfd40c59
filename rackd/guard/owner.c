/*
 * Writes down which process made an object (owner_self()), and judges from such
 * words whether that process still lives. guard.c labels with it, sweep.c
 * judges by it.
 */
#include "guard/owner.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/sha256.h"
#include "base/str.h"

/* Bytes of a file of which one line is wanted. */
#define LINE_FILE_MAX ((size_t)4096)

/* Digits of the hash of a machine's id. */
#define MACHINE_DIGITS 16

enum part { UID, MACHINE, PIDS, BOOT, PID, START, PARTS };

struct parts {
    char *v[PARTS];
};

static void parts_release(struct parts *p)
{
    for (int i = 0; i < PARTS; i++)
        free(p->v[i]);
}

#define cleanup_parts __attribute__((cleanup(parts_release)))

/* False unless there are as many parts as there should be. */
static bool split(struct parts *p, const char *owner)
{
    for (int i = 0; i < PARTS; i++) {
        size_t len = strcspn(owner, ".");

        p->v[i] = str_dup_len(owner, len);
        owner += len;
        if (len == 0 || (*owner == '.') == (i == PARTS - 1))
            return false;
        owner += *owner == '.';
    }
    return true;
}

/* The file's first line without its end; "" where there is none. */
static void read_line(const char *path, char *out, size_t size)
{
    cleanup_str struct str text = { 0 };
    struct err err;

    file_read(&text, path, path, LINE_FILE_MAX, &err);
    snprintf(out, size, "%s", str_c(&text));
    out[strcspn(out, "\n")] = '\0';
}

/* machine-id(5) asks programs not to show the id itself, so this is a hash of
 * it. Images of containers often have none: then it is "-". */
static void add_machine(struct str *out)
{
    char text[128] = "cvx ", id[MACHINE_DIGITS + 1];

    read_line("/etc/machine-id", text + 4, sizeof(text) - 4);
    if (strlen(text) != 4 + 32) {
        str_add(out, "-");
        return;
    }
    sha256_hex(text, strlen(text), id, MACHINE_DIGITS);
    str_add(out, id);
}

static void add_boot(struct str *out)
{
    char text[64];

    read_line("/proc/sys/kernel/random/boot_id", text, sizeof(text));
    if (*text == '\0')
        str_add(out, "-");
    for (const char *c = text; *c != '\0'; c++)
        if (*c != '-')
            str_add_char(out, *c);
}

/* Field 22 of the process's stat. 0: there is no such process, or it is a
 * zombie. Field 2, its name, may hold anything, parentheses too. */
static unsigned long long start_of(const char *pid)
{
    cleanup_free char *path = xasprintf("/proc/%s/stat", pid);
    unsigned long long start = 0;
    char text[1024], state = 'Z';
    const char *at;

    read_line(path, text, sizeof(text));
    at = strrchr(text, ')');
    if (at == NULL ||
        sscanf(at + 1, /* NOLINT(cert-err34-c): the kernel's own format */
               " %c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s "
               "%*s %*s %*s %*s %llu",
               &state, &start) != 2)
        return 0;
    return state == 'Z' || state == 'X' ? 0 : start;
}

char *owner_self(void)
{
    cleanup_free char *pid = xasprintf("%d", (int)getpid());
    struct str out = { 0 };
    struct stat st = { 0 };

    str_printf(&out, "%u.", (unsigned)geteuid());
    add_machine(&out);
    stat("/proc/self/ns/pid", &st);
    str_printf(&out, ".%llu.", (unsigned long long)st.st_ino);
    add_boot(&out);
    str_printf(&out, ".%s.%llu", pid, start_of(pid));
    return str_take(&out);
}

static bool same(const struct parts *a, const struct parts *b, enum part part)
{
    return strcmp(a->v[part], b->v[part]) == 0;
}

static bool is_running(const struct parts *p)
{
    cleanup_free char *start = NULL;
    long pid;

    if (!str_to_long(p->v[PID], 1, 0x7fffffff, &pid))
        return true; /* nonsense is nobody's to remove */
    start = xasprintf("%llu", start_of(p->v[PID]));
    return strcmp(start, p->v[START]) == 0;
}

enum owner_verdict owner_judge(const char *self, const char *owner)
{
    cleanup_parts struct parts me = { 0 }, it = { 0 };

    if (strcmp(self, owner) == 0)
        return OWNER_SELF;
    if (!split(&me, self) || !split(&it, owner) || !same(&me, &it, UID) ||
        !same(&me, &it, PIDS) || !same(&me, &it, MACHINE))
        return OWNER_UNKNOWN;
    if (same(&me, &it, BOOT))
        return is_running(&it) ? OWNER_ALIVE : OWNER_DEAD;
    /* The machine has been booted since, if it is the same machine at all. */
    return strcmp(me.v[MACHINE], "-") == 0 ? OWNER_UNKNOWN : OWNER_DEAD;
}

char *owner_words(const char *owner)
{
    cleanup_parts struct parts it = { 0 };

    if (!split(&it, owner))
        return xstrdup("a rackd");
    return xasprintf("rackd %s", it.v[PID]);
}
