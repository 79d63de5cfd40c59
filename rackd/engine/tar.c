#include "engine/tar.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

#define BLOCK      512u
#define NAME_SIZE  100u
#define HIGH_WATER ((size_t)64 << 10) /* then it goes to the file */

/* As it is on the tape; texts that fill their field have no NUL. */
struct head {
    char name[NAME_SIZE], mode[8], uid[8], gid[8], size[12], mtime[12], sum[8];
    char type, link[NAME_SIZE], magic[8], owner[32], group[32], major[8],
        minor[8];
    char prefix[155], padding[12];
};

_Static_assert(sizeof(struct head) == BLOCK, "one block");

/* An entry that holds the name, or the link, of the next one. */
#define LONG_NAME "././@LongLink"
#define TYPE_NAME 'L'
#define TYPE_LINK 'K'

static int flush(struct tar *t)
{
    size_t done = 0;

    while (t->fd >= 0 && done < t->bytes.len) {
        ssize_t n = write(t->fd, t->bytes.s + done, t->bytes.len - done);

        if (n < 0 && errno != EINTR)
            return -1;
        done += n < 0 ? 0 : (size_t)n;
    }
    str_drop(&t->bytes, done);
    return 0;
}

static void put_zeros(struct tar *t, size_t count)
{
    static const char zeros[BLOCK];

    for (; count > BLOCK; count -= BLOCK)
        str_add_len(&t->bytes, zeros, BLOCK);
    str_add_len(&t->bytes, zeros, count);
}

static int fill_up(struct tar *t)
{
    for (; t->left > BLOCK; t->left -= BLOCK) {
        put_zeros(t, BLOCK);
        if (t->bytes.len > HIGH_WATER && flush(t) < 0)
            return -1;
    }
    put_zeros(t, (size_t)t->left + t->padding);
    t->left = t->padding = 0;
    return 0;
}

/* Octal, or GNU's base 256 for what has more digits or is negative. */
static void put_number(char *field, size_t len, long long number)
{
    long long rest = number;

    if (number >= 0 && number >> (3 * (len - 1)) == 0) {
        for (size_t i = len - 1; i-- > 0; rest >>= 3)
            field[i] = (char)('0' + (rest & 7));
        return;
    }
    for (size_t i = len; i-- > 0; rest >>= 8)
        field[i] = (char)(rest & 255);
    field[0] = (char)(field[0] | 0x80);
}

static void put_sum(struct head *h)
{
    const unsigned char *byte = (const unsigned char *)h;
    unsigned sum = 0;

    memset(h->sum, ' ', sizeof(h->sum));
    for (size_t i = 0; i < sizeof(*h); i++)
        sum += byte[i];
    put_number(h->sum, sizeof(h->sum) - 1, sum);
    h->sum[6] = '\0';
}

static void put_head(struct tar *t, const struct tar_entry *e, char type,
                     const char *path)
{
    struct head h = { .type = type, .magic = "ustar  " };

    memcpy(h.name, path, strnlen(path, sizeof(h.name)));
    if (e->link != NULL)
        memcpy(h.link, e->link, strnlen(e->link, sizeof(h.link)));
    put_number(h.mode, sizeof(h.mode), e->mode & 07777);
    put_number(h.uid, sizeof(h.uid), e->uid);
    put_number(h.gid, sizeof(h.gid), e->gid);
    put_number(h.size, sizeof(h.size), e->size);
    put_number(h.mtime, sizeof(h.mtime), (long long)e->mtime);
    put_sum(&h);
    str_add_len(&t->bytes, (const char *)&h, sizeof(h));
    t->left = (unsigned long long)e->size;
    t->padding = (BLOCK - (unsigned)(t->left % BLOCK)) % BLOCK;
}

/* A name that has no room in the head goes before it. */
static int put_long(struct tar *t, char type, const char *name)
{
    size_t len = strlen(name) + 1; /* with its NUL */

    if (len <= NAME_SIZE)
        return 0;
    put_head(t, &(struct tar_entry){ .size = (long long)len }, type, LONG_NAME);
    if (tar_data(t, name, len) < 0)
        return -1;
    return fill_up(t);
}

static char type_of(mode_t mode)
{
    if (S_ISDIR(mode))
        return '5';
    return S_ISLNK(mode) ? '2' : '0';
}

int tar_add(struct tar *t, const struct tar_entry *e)
{
    bool slash = S_ISDIR(e->mode) && !str_ends(e->path, "/");
    cleanup_free char *path = xasprintf("%s%s", e->path, slash ? "/" : "");

    if (fill_up(t) < 0)
        return -1;
    if (e->link != NULL && put_long(t, TYPE_LINK, e->link) < 0)
        return -1;
    if (put_long(t, TYPE_NAME, path) < 0)
        return -1;
    put_head(t, e, type_of(e->mode), path);
    return 0;
}

int tar_data(struct tar *t, const void *data, size_t len)
{
    if (len > t->left)
        len = (size_t)t->left;
    str_add_len(&t->bytes, data, len);
    t->left -= len;
    return t->bytes.len > HIGH_WATER ? flush(t) : 0;
}

int tar_end(struct tar *t)
{
    if (fill_up(t) < 0)
        return -1;
    put_zeros(t, (size_t)2 * BLOCK);
    return flush(t);
}

void tar_release(struct tar *t)
{
    str_release(&t->bytes);
}
