/* The "web | " in front of log lines: its width and its colour. render.c and
 * cmd_logs.c use it. */
#include "cli/tags.h"

#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"
#include "cli/text.h"

/* More names than this share the colours that are taken: a container that makes
 * up names must not cost memory. */
#define TAGS_MAX 1000

/* Of the 256 colours those that are readable on a light and on a dark ground,
 * and far from each other. Red is left out, since it means an error. */
static const int palette[TAGS_COLOURS] = { 33, 35, 208, 170, 37,  178,
                                           99, 70, 167, 75,  137, 176 };

static bool is_own(const char *name)
{
    return strcmp(name, "convox") == 0 || strcmp(name, "build") == 0;
}

void tags_init(struct tags *t, bool colour)
{
    *t = (struct tags){ .colour = colour, .width = strlen("convox") };
}

void tags_release(struct tags *t)
{
    for (size_t i = 0; i < t->len; i++)
        free(t->v[i].name);
    free(t->v);
    *t = (struct tags){ 0 };
}

static bool is_taken(const struct tags *t, int colour)
{
    for (size_t i = 0; i < t->len; i++)
        if (t->v[i].colour == colour)
            return true;
    return false;
}

static int choose(const struct tags *t, const char *name)
{
    size_t first = hash_text(name) % TAGS_COLOURS;

    if (is_own(name))
        return 0;
    for (size_t i = 0; i < TAGS_COLOURS; i++) {
        int colour = palette[(first + i) % TAGS_COLOURS];

        if (!is_taken(t, colour))
            return colour;
    }
    return palette[first];
}

static const struct tag *find(const struct tags *t, const char *name)
{
    for (size_t i = 0; i < t->len; i++)
        if (strcmp(t->v[i].name, name) == 0)
            return &t->v[i];
    return NULL;
}

void tags_know(struct tags *t, const char *name)
{
    size_t width = text_width(name, strlen(name));
    struct tag *tag;
    int colour;

    if (find(t, name) != NULL || t->len == TAGS_MAX)
        return;
    colour = choose(t, name);
    tag = vec_add(t);
    tag->name = xstrdup(name);
    tag->colour = colour;
    if (width > t->width)
        t->width = width;
}

void tags_paint(struct tags *t, const char *name, const char *text,
                struct str *out)
{
    const struct tag *tag;

    tags_know(t, name);
    tag = find(t, name);
    if (!t->colour)
        str_add(out, text);
    else if (tag == NULL || tag->colour == 0)
        str_printf(out, "\033[1m%s\033[0m", text);
    else
        str_printf(out, "\033[38;5;%dm%s\033[0m", tag->colour, text);
}

void tags_prefix(struct tags *t, const char *name, struct str *out)
{
    cleanup_str struct str padded = { 0 };

    tags_know(t, name);
    text_pad(&padded, name, t->width);
    tags_paint(t, name, str_c(&padded), out);
    str_add(out, " | ");
}
