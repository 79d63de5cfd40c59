/*
 * term -- one output (stdout or stderr) and what it is: a terminal or not, its
 * size, whether colours are wanted.
 *
 * Colours: --color always or never decides; else NO_COLOR (any value but "")
 * turns them off, and CLICOLOR_FORCE (any value but "" and "0") on; else they
 * are on for a terminal whose TERM is not "dumb".
 */
#ifndef CLI_TERM_H
#define CLI_TERM_H

#include <stdbool.h>
#include <stddef.h>

struct err;
struct str;

struct term {
    int fd;
    bool is_tty; /* a terminal that can move its cursor */
    bool colour;
    bool utf8;
    size_t columns, rows; /* 80 and 24 when unknown */
    bool failed;          /* nobody reads it any more: nothing is written */

    /* Called when a signal arrived while a write had to wait; may be NULL. */
    void (*on_interrupt)(void *user);
    void *user;
};

enum term_colour { TERM_AUTO, TERM_ALWAYS, TERM_NEVER };

/* Parses the value of --color; `when` NULL: auto. -1 with *err set. */
int term_colour_parse(const char *when, enum term_colour *out, struct err *err);

void term_init(struct term *t, int fd, enum term_colour colour);

/* Asks the terminal for its size again (after SIGWINCH). */
void term_measure(struct term *t);

/* Whether colours are wanted, from the values of the variables; pure, for
 * tests. */
bool term_wants_colour(enum term_colour colour, bool tty, const char *no_color,
                       const char *force, const char *type);

/* Write everything; they block. When nobody reads any more, t->failed is set,
 * and nothing is written from then on. */
void term_write(struct term *t, const char *text, size_t len);
void term_put(struct term *t, const struct str *text);
void term_puts(struct term *t, const char *text);
void term_printf(struct term *t, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Appends `text` in the SGR `code` ("1;31") when colours are wanted. */
void term_paint(const struct term *t, struct str *out, const char *code,
                const char *text);

#endif /* CLI_TERM_H */
