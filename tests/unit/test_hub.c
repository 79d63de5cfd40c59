#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "logs/hub.h"

struct fix;

/* A subscriber of a test: what it got, as "tag:text ", and what it does. */
struct reader {
    struct fix *fix;
    struct hub_sub *sub;
    struct str got;
    uint64_t lost, lines;
    int wakes, ends;
    bool pull_in_wake, leave_in_wake, put_in_wake, free_in_wake;
    struct reader *dismiss; /* unsubscribed in our wake */
};

struct fix {
    struct hub *hub;
    struct reader a, b;
};

static const struct hub_filter everything = { .since_ms = 0, .tail = -1 };
static const struct hub_filter only_new = { .since_ms = -1, .tail = -1 };

static void put_at(struct fix *f, const char *tag, const char *text,
                   int64_t time_ms)
{
    char source[64];

    snprintf(source, sizeof(source), "service/%s/1", tag);
    hub_put(f->hub, &(struct hub_text){ .tag = tag,
                                        .source = source,
                                        .time_ms = time_ms,
                                        .text = text,
                                        .len = strlen(text) });
}

static void put(struct fix *f, const char *tag, const char *text)
{
    put_at(f, tag, text, 1000);
}

static void put_big(struct fix *f, const char *tag, size_t len)
{
    cleanup_free char *text = xcalloc(1, len + 1);

    memset(text, 'x', len);
    put(f, tag, text);
}

static void leave(struct reader *r)
{
    hub_unsubscribe(r->sub);
    r->sub = NULL;
}

/* As many as it says, and each that is short noted. */
static void note_lines(struct reader *r, const struct hub_text *t)
{
    const char *line = t->text, *end = t->text + t->len;

    for (size_t i = 0; i < t->lines; i++) {
        const char *nl = memchr(line, '\n', (size_t)(end - line));

        if (nl == NULL)
            nl = end;
        assert_true(nl < end || i == t->lines - 1);
        if (nl - line < 100)
            str_printf(&r->got, "%s:%.*s ", t->tag, (int)(nl - line), line);
        line = nl + 1;
    }
    if (!t->partial)
        assert_int_equal(*end, '\n');
}

/* Pull all; the number of lines that came. */
static int pull(struct reader *r)
{
    const struct hub_text *text;
    uint64_t lost;
    int count = 0;

    while ((text = hub_next(r->sub, &lost)) != NULL) {
        note_lines(r, text);
        r->lost += lost;
        r->lines += text->lines;
        count += (int)text->lines;
    }
    return count;
}

static void on_wake(void *user)
{
    struct reader *r = user;

    r->wakes++;
    if (r->pull_in_wake)
        pull(r);
    if (r->put_in_wake) {
        r->put_in_wake = false;
        put(r->fix, "echo", "again");
    }
    if (r->dismiss != NULL && r->dismiss->sub != NULL)
        leave(r->dismiss);
    if (r->leave_in_wake)
        leave(r);
    if (r->free_in_wake) {
        r->free_in_wake = false;
        hub_free(r->fix->hub);
    }
}

static void on_end(void *user)
{
    ((struct reader *)user)->ends++;
}

static void join(struct fix *f, struct reader *r,
                 const struct hub_filter *filter)
{
    r->fix = f;
    r->sub = hub_subscribe(f->hub, filter, on_wake, on_end, r);
    assert_int_equal(r->wakes, 0); /* never from inside hub_subscribe() */
}

static int setup(void **state)
{
    struct fix *f = xcalloc(1, sizeof(*f));

    f->hub = hub_new();
    *state = f;
    return 0;
}

/* The hub ends first, as a session does; then its readers go. */
static int teardown(void **state)
{
    struct fix *f = *state;
    bool ended = f->a.ends > 0 || f->b.ends > 0;

    if (!ended)
        hub_free(f->hub);
    if (f->a.sub != NULL)
        leave(&f->a);
    if (f->b.sub != NULL)
        leave(&f->b);
    str_release(&f->a.got);
    str_release(&f->b.got);
    free(f);
    return 0;
}

static void a_subscriber_gets_what_was_kept_and_what_comes(void **state)
{
    struct fix *f = *state;

    put(f, "web", "one");
    join(f, &f->a, &everything);
    assert_int_equal(pull(&f->a), 1);
    put(f, "db", "two");
    assert_int_equal(f->a.wakes, 1);
    pull(&f->a);
    assert_string_equal(str_c(&f->a.got), "web:one db:two ");
    assert_int_equal(f->a.lost, 0);
}

static void everything_about_a_line_is_kept(void **state)
{
    struct fix *f = *state;
    const struct hub_text *line;
    uint64_t lost = 7;
    char tag[] = "web", source[] = "service/web/2", text[] = "a\0b";

    put(f, "x", "first");
    hub_put(f->hub, &(struct hub_text){ .tag = tag,
                                        .source = source,
                                        .time_ms = 123456789012,
                                        .is_stderr = true,
                                        .partial = true,
                                        .text = text,
                                        .len = 3,
                                        .lines = 99 });
    tag[0] = source[0] = text[0] = '?';
    join(f, &f->a, &(struct hub_filter){ .tag = "web", .tail = -1 });
    line = hub_next(f->a.sub, &lost);
    assert_non_null(line);
    assert_string_equal(line->tag, "web");
    assert_string_equal(line->source, "service/web/2");
    assert_int_equal(line->time_ms, 123456789012);
    assert_true(line->is_stderr && line->partial);
    assert_int_equal(line->len, 3);
    assert_memory_equal(line->text, "a\0b", 3);
    assert_int_equal(line->lines, 1);
    assert_int_equal(lost, 0);
}

static void it_is_woken_once_until_it_has_drained(void **state)
{
    struct fix *f = *state;
    uint64_t lost;

    join(f, &f->a, &only_new);
    put(f, "web", "1");
    put(f, "web", "2");
    assert_int_equal(f->a.wakes, 1);
    assert_non_null(hub_next(f->a.sub, &lost));
    put(f, "web", "3");
    assert_int_equal(f->a.wakes, 1); /* not drained yet */
    assert_int_equal(pull(&f->a), 2);
    put(f, "web", "4");
    assert_int_equal(f->a.wakes, 2);
}

static void a_tag_filters_old_and_new_lines(void **state)
{
    struct fix *f = *state;

    put(f, "web", "1");
    put(f, "db", "2");
    join(f, &f->a, &(struct hub_filter){ .tag = "db", .tail = -1 });
    pull(&f->a);
    put(f, "web", "3");
    assert_int_equal(f->a.wakes, 0);
    put(f, "db", "4");
    assert_int_equal(f->a.wakes, 1);
    pull(&f->a);
    assert_string_equal(str_c(&f->a.got), "db:2 db:4 ");
}

static void since_and_tail_choose_among_the_old_lines_only(void **state)
{
    struct fix *f = *state;

    put_at(f, "web", "1", 100);
    put_at(f, "db", "2", 200);
    put_at(f, "web", "3", 300);
    put_at(f, "web", "4", 400);
    join(f, &f->a, &(struct hub_filter){ .since_ms = 300, .tail = -1 });
    join(f, &f->b,
         &(struct hub_filter){ .tag = "web", .since_ms = 0, .tail = 2 });
    put_at(f, "web", "5", 50);
    pull(&f->a);
    pull(&f->b);
    assert_string_equal(str_c(&f->a.got), "web:3 web:4 web:5 ");
    assert_string_equal(str_c(&f->b.got), "web:3 web:4 web:5 ");
}

static void no_old_lines_are_had_with_since_minus_one_or_tail_zero(void **state)
{
    struct fix *f = *state;

    put(f, "web", "1");
    join(f, &f->a, &only_new);
    join(f, &f->b, &(struct hub_filter){ .since_ms = 0, .tail = 0 });
    assert_int_equal(pull(&f->a) + pull(&f->b), 0);
    put(f, "web", "2");
    pull(&f->a);
    pull(&f->b);
    assert_string_equal(str_c(&f->a.got), "web:2 ");
    assert_string_equal(str_c(&f->b.got), "web:2 ");
}

static void only_the_newest_megabytes_are_kept(void **state)
{
    struct fix *f = *state;
    int count;

    for (int i = 0; i < 100; i++)
        put_big(f, "web", 100000);
    put(f, "web", "end");
    join(f, &f->a, &everything);
    count = pull(&f->a);
    assert_true(count > 38 && count <= 42); /* of 4 MiB, 100 kB each */
    assert_string_equal(str_c(&f->a.got), "web:end ");
    assert_int_equal(f->a.lost, 0); /* it was not there to lose them */
}

static void
a_slow_subscriber_loses_the_oldest_and_is_told_how_many(void **state)
{
    struct fix *f = *state;

    join(f, &f->a, &only_new); /* never pulls */
    join(f, &f->b, &only_new);
    f->b.pull_in_wake = true;
    for (int i = 0; i < 200; i++)
        put_big(f, "web", 100000);
    assert_int_equal(f->b.lines, 200);
    assert_int_equal(f->b.lost, 0);
    assert_int_equal(f->a.wakes, 1);
    pull(&f->a);
    assert_int_equal(f->a.lines + f->a.lost, 200);
    assert_true(f->a.lines > 80 && f->a.lines < 85); /* 8 MiB waited */
}

static void lost_counts_only_lines_the_filter_wanted(void **state)
{
    struct fix *f = *state;

    join(f, &f->a, &(struct hub_filter){ .tag = "db", .tail = -1 });
    put(f, "db", "gone");
    put(f, "db", "gone too");
    for (int i = 0; i < 200; i++)
        put_big(f, "web", 100000);
    assert_int_equal(pull(&f->a), 0);
    put(f, "db", "here");
    assert_int_equal(pull(&f->a), 1);
    assert_int_equal(f->a.lost, 2);
    assert_string_equal(str_c(&f->a.got), "db:here ");
}

static void the_kept_lines_shrink_again_when_the_slow_one_has_read(void **state)
{
    struct fix *f = *state;

    join(f, &f->a, &only_new);
    for (int i = 0; i < 70; i++)
        put_big(f, "web", 100000);
    assert_int_equal(pull(&f->a), 70); /* more than HUB_KEEP_BYTES */
    join(f, &f->b, &everything);
    assert_true(pull(&f->b) <= 42);
}

static void a_line_handed_out_stays_valid_while_others_push_it_out(void **state)
{
    struct fix *f = *state;
    const struct hub_text *line;
    uint64_t lost;

    join(f, &f->a, &only_new);
    put(f, "web", "keep me");
    line = hub_next(f->a.sub, &lost);
    for (int i = 0; i < 200; i++)
        put_big(f, "web", 100000);
    assert_int_equal(line->len, 7);
    assert_memory_equal(line->text, "keep me\n", 8);
}

static void a_line_bigger_than_everything_passes(void **state)
{
    struct fix *f = *state;

    join(f, &f->a, &only_new);
    put(f, "web", "small");
    put_big(f, "web", (size_t)16 << 20);
    assert_int_equal(pull(&f->a), 1);
    assert_int_equal(f->a.lost, 1);
    put(f, "web", "next");
    assert_int_equal(pull(&f->a), 1);
    assert_string_equal(str_c(&f->a.got), "web:next ");
}

static void a_flood_passes_for_the_fast_and_the_slow(void **state)
{
    struct fix *f = *state;

    join(f, &f->a, &only_new);
    join(f, &f->b, &only_new);
    f->a.pull_in_wake = true;
    for (int i = 0; i < 400000; i++) {
        put(f, "web",
            "seventy characters are about what a line of a log has "
            "in the middle, or so");
        if (i % 1000 == 0)
            str_cut(&f->a.got, 0);
    }
    assert_int_equal(f->a.lines, 400000);
    assert_int_equal(f->a.lost, 0);
    pull(&f->b);
    assert_int_equal(f->b.lines + f->b.lost, 400000);
}

static void any_function_may_be_called_from_a_wake(void **state)
{
    struct fix *f = *state;

    join(f, &f->a, &only_new);
    join(f, &f->b, &only_new);
    f->a.put_in_wake = true;
    f->a.leave_in_wake = true;
    f->a.dismiss = &f->b;
    put(f, "web", "1");
    assert_int_equal(f->a.wakes, 1);
    assert_int_equal(f->b.wakes, 1); /* by the nested line, before it went */
    put(f, "web", "2");
    assert_int_equal(f->a.wakes + f->b.wakes, 2);
}

static void one_may_unsubscribe_the_next_in_line(void **state)
{
    struct fix *f = *state;

    join(f, &f->a, &only_new);
    join(f, &f->b, &only_new);
    f->a.dismiss = &f->b;
    put(f, "web", "1");
    assert_int_equal(f->a.wakes, 1);
    assert_int_equal(f->b.wakes, 0);
}

static void the_hub_may_be_freed_from_a_wake(void **state)
{
    struct fix *f = *state;

    join(f, &f->a, &only_new);
    join(f, &f->b, &only_new);
    f->a.free_in_wake = true;
    put(f, "web", "1");
    assert_int_equal(f->a.ends, 1);
    assert_int_equal(f->b.ends, 1);
    assert_int_equal(pull(&f->b), 1);
}

static void what_waits_can_be_read_after_the_end(void **state)
{
    struct fix *f = *state;

    join(f, &f->a, &only_new);
    put(f, "web", "last");
    put(f, "web", "words");
    hub_free(f->hub);
    assert_int_equal(f->a.ends, 1);
    pull(&f->a);
    assert_string_equal(str_c(&f->a.got), "web:last web:words ");
}

static void the_last_lines_of_a_source_make_an_error_message(void **state)
{
    struct fix *f = *state;
    cleanup_free char *last = NULL, *all = NULL, *none = NULL;

    put(f, "web", "one");
    put(f, "db", "noise");
    put(f, "web", "two\r");
    put(f, "db", "noise");
    put(f, "web", "three");
    last = hub_last(f->hub, "service/web/1", 2);
    all = hub_last(f->hub, "service/web/1", 20);
    none = hub_last(f->hub, "service/api/1", 20);
    assert_string_equal(last, "  | two\n  | three");
    assert_string_equal(all, "  | one\n  | two\n  | three");
    assert_string_equal(none, "");
}

static void a_long_line_is_cut_in_an_error_message(void **state)
{
    struct fix *f = *state;
    cleanup_free char *last = NULL;

    put_big(f, "web", 100000);
    hub_put(f->hub, &(struct hub_text){ .tag = "web",
                                        .source = "service/web/1",
                                        .text = "a\0b",
                                        .len = 3 });
    last = hub_last(f->hub, "service/web/1", 20);
    assert_int_equal(strlen(last), 4 + 500 + 3 + 1 + 4 + 3);
    assert_non_null(strstr(last, "xxx...\n  | a b"));
}

/* ---- lines that come together ------------------------------------------- */

static void lines_put_at_once_and_one_by_one_are_the_same(void **state)
{
    struct fix *f = *state;

    join(f, &f->a, &only_new);
    put(f, "web", "1\n2\n\n4");
    put(f, "web", "5");
    put(f, "db", "6\n7");
    put(f, "web", "8");
    pull(&f->a);
    join(f, &f->b, &everything);
    pull(&f->b);
    assert_string_equal(str_c(&f->a.got),
                        "web:1 web:2 web: web:4 web:5 db:6 db:7 web:8 ");
    assert_string_equal(str_c(&f->b.got), str_c(&f->a.got));
}

static void who_has_read_the_newest_gets_only_what_is_added(void **state)
{
    struct fix *f = *state;

    join(f, &f->a, &only_new);
    put(f, "web", "1");
    pull(&f->a);
    put(f, "web", "2");
    join(f, &f->b, &only_new);
    put(f, "web", "3");
    put(f, "web", "4");
    pull(&f->a);
    pull(&f->b);
    assert_string_equal(str_c(&f->a.got), "web:1 web:2 web:3 web:4 ");
    assert_string_equal(str_c(&f->b.got), "web:3 web:4 ");
}

static void since_asks_no_line_that_comes_later(void **state)
{
    struct fix *f = *state;

    put_at(f, "web", "old", 100);
    join(f, &f->a, &(struct hub_filter){ .since_ms = 500, .tail = -1 });
    put_at(f, "web", "new", 100);
    pull(&f->a);
    assert_string_equal(str_c(&f->a.got), "web:new ");
}

static void tail_counts_lines_also_inside_what_came_together(void **state)
{
    struct fix *f = *state;
    cleanup_free char *last = NULL;

    put(f, "web", "1\n2\n3");
    put(f, "db", "4");
    put(f, "web", "5\n6\n7");
    join(f, &f->a, &(struct hub_filter){ .tag = "web", .tail = 4 });
    pull(&f->a);
    assert_string_equal(str_c(&f->a.got), "web:3 web:5 web:6 web:7 ");
    join(f, &f->b, &(struct hub_filter){ .tail = 2 });
    pull(&f->b);
    assert_string_equal(str_c(&f->b.got), "web:6 web:7 ");
    last = hub_last(f->hub, "service/web/1", 5);
    assert_string_equal(last, "  | 2\n  | 3\n  | 5\n  | 6\n  | 7");
}

static void a_piece_of_a_line_stays_by_itself(void **state)
{
    struct fix *f = *state;
    const struct hub_text *t;
    uint64_t lost;

    join(f, &f->a, &only_new);
    put(f, "web", "before");
    hub_put(f->hub, &(struct hub_text){ .tag = "web",
                                        .source = "service/web/1",
                                        .time_ms = 1000,
                                        .partial = true,
                                        .text = "a piece",
                                        .len = 7 });
    put(f, "web", "its end");
    assert_int_equal(hub_next(f->a.sub, &lost)->len, 6);
    t = hub_next(f->a.sub, &lost);
    assert_true(t->partial);
    assert_int_equal(t->len, 7);
    assert_int_equal(t->lines, 1);
    assert_memory_equal(t->text, "a piece", 7);
    assert_int_equal(hub_next(f->a.sub, &lost)->len, 7);
}

/* What a reader has of a numbered flood must be in order, and whole. */
static void check_numbers(struct reader *r, size_t *next)
{
    const struct hub_text *t;
    uint64_t lost;

    while ((t = hub_next(r->sub, &lost)) != NULL) {
        const char *line = t->text;

        *next += lost;
        for (size_t i = 0; i < t->lines; i++) {
            assert_int_equal(strtoul(line, NULL, 10), *next);
            (*next)++;
            line = (const char *)memchr(line, '\n', t->len + 1) + 1;
        }
        assert_ptr_equal(line, t->text + t->len + 1);
    }
}

static void
a_numbered_flood_is_in_order_and_lost_lines_are_counted(void **state)
{
    struct fix *f = *state;
    struct str some = { 0 };
    size_t a = 0, b = 0, count = 0;
    unsigned seed = 7;

    join(f, &f->a, &only_new);
    join(f, &f->b, &only_new);
    for (int i = 0; i < 20000; i++) {
        size_t lines = 1 + (size_t)rand_r(&seed) % 40;

        for (size_t j = 0; j < lines; j++)
            str_printf(&some, "%s%zu some text behind it, some more",
                       j > 0 ? "\n" : "", count++);
        put_at(f, "web", str_c(&some), 1000 + i / 50);
        str_cut(&some, 0);
        if (i % 3 == 0)
            check_numbers(&f->a, &a);
        if (i % 15000 == 14999) /* late: it has lost some */
            check_numbers(&f->b, &b);
    }
    check_numbers(&f->a, &a);
    check_numbers(&f->b, &b);
    assert_int_equal(a, count);
    assert_int_equal(b, count);
    str_release(&some);
}

static void between_begin_and_commit_nobody_is_woken(void **state)
{
    struct fix *f = *state;

    join(f, &f->a, &only_new);
    hub_begin(f->hub);
    put(f, "web", "1");
    put(f, "db", "2");
    assert_int_equal(f->a.wakes, 0);
    hub_commit(f->hub);
    assert_int_equal(f->a.wakes, 1);
    pull(&f->a);
    assert_string_equal(str_c(&f->a.got), "web:1 db:2 ");
}

/* ---- back-pressure --------------------------------------------------------
 */

static const struct hub_filter patient = { .since_ms = -1,
                                           .tail = -1,
                                           .patient = true };

static void on_full(bool full, void *user)
{
    str_add((struct str *)user, full ? "full " : "on ");
}

static void put_megabytes(struct fix *f, int count)
{
    for (int i = 0; i < count * 8; i++)
        put_big(f, "web", ((size_t)128 << 10) - 1);
}

static void tick(struct fix *f, int times)
{
    for (int i = 0; i < times; i++)
        hub_tick(f->hub);
}

static void a_patient_one_makes_the_hub_full_until_it_has_read(void **state)
{
    struct fix *f = *state;
    cleanup_str struct str said = { 0 };
    uint64_t lost;

    hub_on_full(f->hub, on_full, &said);
    join(f, &f->a, &patient);
    put_megabytes(f, 2);
    assert_false(hub_is_full(f->hub));
    put(f, "web", "one more");
    assert_true(hub_is_full(f->hub));
    for (int i = 0; i < 8; i++)
        hub_next(f->a.sub, &lost);
    assert_true(hub_is_full(f->hub)); /* not on and off at every line */
    hub_next(f->a.sub, &lost);
    assert_false(hub_is_full(f->hub));
    assert_string_equal(str_c(&said), "full on ");
}

static void others_hold_nothing_up(void **state)
{
    struct fix *f = *state;
    cleanup_str struct str said = { 0 };

    hub_on_full(f->hub, on_full, &said);
    join(f, &f->a, &only_new);
    join(f, &f->b, &patient);
    f->b.pull_in_wake = true;
    put_megabytes(f, 20);
    assert_int_equal(f->b.lost, 0);
    pull(&f->a);
    assert_true(f->a.lost > 0);
    assert_string_equal(str_c(&said), "");
}

static void who_takes_nothing_for_long_is_not_waited_for(void **state)
{
    struct fix *f = *state;
    cleanup_str struct str said = { 0 };
    uint64_t lost;

    hub_on_full(f->hub, on_full, &said);
    join(f, &f->a, &patient);
    put_megabytes(f, 3);
    tick(f, HUB_PATIENCE - 1);
    assert_true(hub_is_full(f->hub));
    hub_next(f->a.sub, &lost); /* it lives: from the beginning */
    tick(f, HUB_PATIENCE);
    assert_true(hub_is_full(f->hub));
    tick(f, 1);
    assert_string_equal(str_c(&said), "full on ");

    put_megabytes(f, 8);
    assert_false(hub_is_full(f->hub));
    hub_next(f->a.sub, &lost); /* it is back, and told what it lost */
    assert_true(lost > 0);
    assert_true(hub_is_full(f->hub));
    pull(&f->a);
    assert_false(hub_is_full(f->hub));
}

static void one_that_leaves_holds_nothing_up_any_more(void **state)
{
    struct fix *f = *state;
    cleanup_str struct str said = { 0 };

    hub_on_full(f->hub, on_full, &said);
    join(f, &f->a, &patient);
    put_megabytes(f, 3);
    leave(&f->a);
    assert_string_equal(str_c(&said), "full on ");
}

static void when_nobody_asks_any_more_it_is_never_full(void **state)
{
    struct fix *f = *state;
    cleanup_str struct str said = { 0 };

    hub_on_full(f->hub, on_full, &said);
    join(f, &f->a, &patient);
    put_megabytes(f, 3);
    hub_on_full(f->hub, NULL, NULL);
    assert_false(hub_is_full(f->hub));
    put_megabytes(f, 12);
    pull(&f->a);
    assert_true(f->a.lost > 0);
    assert_string_equal(str_c(&said), "full ");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_subscriber_gets_what_was_kept_and_what_comes),
        TEST(everything_about_a_line_is_kept),
        TEST(it_is_woken_once_until_it_has_drained),
        TEST(a_tag_filters_old_and_new_lines),
        TEST(since_and_tail_choose_among_the_old_lines_only),
        TEST(no_old_lines_are_had_with_since_minus_one_or_tail_zero),
        TEST(only_the_newest_megabytes_are_kept),
        TEST(a_slow_subscriber_loses_the_oldest_and_is_told_how_many),
        TEST(lost_counts_only_lines_the_filter_wanted),
        TEST(the_kept_lines_shrink_again_when_the_slow_one_has_read),
        TEST(a_line_handed_out_stays_valid_while_others_push_it_out),
        TEST(a_line_bigger_than_everything_passes),
        TEST(a_flood_passes_for_the_fast_and_the_slow),
        TEST(any_function_may_be_called_from_a_wake),
        TEST(one_may_unsubscribe_the_next_in_line),
        TEST(the_hub_may_be_freed_from_a_wake),
        TEST(what_waits_can_be_read_after_the_end),
        TEST(the_last_lines_of_a_source_make_an_error_message),
        TEST(a_long_line_is_cut_in_an_error_message),
        TEST(lines_put_at_once_and_one_by_one_are_the_same),
        TEST(who_has_read_the_newest_gets_only_what_is_added),
        TEST(since_asks_no_line_that_comes_later),
        TEST(tail_counts_lines_also_inside_what_came_together),
        TEST(a_piece_of_a_line_stays_by_itself),
        TEST(a_numbered_flood_is_in_order_and_lost_lines_are_counted),
        TEST(between_begin_and_commit_nobody_is_woken),
        TEST(a_patient_one_makes_the_hub_full_until_it_has_read),
        TEST(others_hold_nothing_up),
        TEST(who_takes_nothing_for_long_is_not_waited_for),
        TEST(one_that_leaves_holds_nothing_up_any_more),
        TEST(when_nobody_asks_any_more_it_is_never_full),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
