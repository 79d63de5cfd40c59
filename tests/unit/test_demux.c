#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "logs/demux.h"

/* What came out, as text: "out|line\n", "err|piece+\n" for a partial one. */
struct fix {
    struct demux *d;
    struct str seen;
    struct err err;
    size_t lines, bytes;
    bool count_only, free_in_line;
    const char *from, *to; /* lines are to be inside: nothing was copied */
    size_t copied;
};

static void on_line(enum demux_stream stream, const char *data, size_t len,
                    bool partial, void *user)
{
    struct fix *f = user;

    f->lines++;
    f->bytes += len;
    if (f->from != NULL && (data < f->from || data + len > f->to))
        f->copied++;
    if (f->free_in_line)
        demux_free(f->d);
    if (f->count_only)
        return;
    str_add(&f->seen, stream == DEMUX_STDERR ? "err|" : "out|");
    str_add_len(&f->seen, data, len);
    str_add(&f->seen, partial ? "+\n" : "\n");
}

static int setup(void **state)
{
    struct fix *f = xcalloc(1, sizeof(*f));

    f->d = demux_new(false, on_line, f);
    *state = f;
    return 0;
}

static int setup_raw(void **state)
{
    struct fix *f = xcalloc(1, sizeof(*f));

    f->d = demux_new(true, on_line, f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fix *f = *state;

    if (!f->free_in_line)
        demux_free(f->d);
    str_release(&f->seen);
    free(f);
    return 0;
}

static void add_frame(struct str *s, unsigned type, const char *data,
                      size_t len)
{
    char head[8] = {
        (char)type,       0,        0, 0, (char)(len >> 24), (char)(len >> 16),
        (char)(len >> 8), (char)len
    };

    str_add_len(s, head, sizeof(head));
    str_add_len(s, data, len);
}

static void frame(struct str *s, unsigned type, const char *text)
{
    add_frame(s, type, text, strlen(text));
}

static int feed(struct fix *f, const struct str *s)
{
    return demux_feed(f->d, str_c(s), s->len, &f->err);
}

static void lines_come_from_frames_of_both_streams(void **state)
{
    struct fix *f = *state;
    cleanup_str struct str s = { 0 };

    frame(&s, 1, "one\ntwo\n");
    frame(&s, 2, "bad\n");
    frame(&s, 0, "\n");
    assert_int_equal(feed(f, &s), 0);
    assert_string_equal(str_c(&f->seen), "out|one\nout|two\nerr|bad\nout|\n");
}

static void a_line_goes_on_in_later_frames_of_its_stream(void **state)
{
    struct fix *f = *state;
    cleanup_str struct str s = { 0 };

    frame(&s, 1, "he");
    frame(&s, 2, "wor");
    frame(&s, 1, "");
    frame(&s, 1, "llo\nnext");
    frame(&s, 2, "ld\n");
    assert_int_equal(feed(f, &s), 0);
    assert_string_equal(str_c(&f->seen), "out|hello\nerr|world\n");
}

static void a_cut_anywhere_changes_nothing(void **state)
{
    struct fix *f = *state;
    cleanup_str struct str s = { 0 };
    cleanup_str struct str whole = { 0 };

    frame(&s, 1, "caf\xc3\xa9\nsecond ");
    frame(&s, 2, "oops\n");
    frame(&s, 1, "half\n\nlast");
    feed(f, &s);
    demux_flush(f->d);
    str_add_len(&whole, f->seen.s, f->seen.len);
    assert_non_null(strstr(str_c(&whole), "out|second half\nout|\nout|last\n"));

    for (size_t cut = 0; cut <= s.len; cut++) {
        str_cut(&f->seen, 0);
        assert_int_equal(demux_feed(f->d, s.s, cut, &f->err), 0);
        assert_int_equal(demux_feed(f->d, s.s + cut, s.len - cut, &f->err), 0);
        demux_flush(f->d);
        assert_string_equal(str_c(&f->seen), str_c(&whole));
    }
    str_cut(&f->seen, 0);
    for (size_t i = 0; i < s.len; i++)
        assert_int_equal(demux_feed(f->d, s.s + i, 1, &f->err), 0);
    demux_flush(f->d);
    assert_string_equal(str_c(&f->seen), str_c(&whole));
}

static void a_carriage_return_is_kept(void **state)
{
    struct fix *f = *state;
    cleanup_str struct str s = { 0 };

    frame(&s, 1, "a\r\nb\rc\n");
    feed(f, &s);
    assert_string_equal(str_c(&f->seen), "out|a\r\nout|b\rc\n");
}

static void a_nul_byte_is_text_like_any_other(void **state)
{
    struct fix *f = *state;
    cleanup_str struct str s = { 0 };

    add_frame(&s, 1, "a\0b\n", 4);
    feed(f, &s);
    assert_int_equal(f->seen.len, 8);
    assert_memory_equal(f->seen.s, "out|a\0b\n", 8);
}

static void the_last_line_needs_no_line_end(void **state)
{
    struct fix *f = *state;
    cleanup_str struct str s = { 0 };

    frame(&s, 2, "dying wor");
    feed(f, &s);
    assert_int_equal(f->lines, 0);
    demux_flush(f->d);
    demux_flush(f->d);
    assert_string_equal(str_c(&f->seen), "err|dying wor\n");
}

static void a_terminal_has_no_frames(void **state)
{
    struct fix *f = *state;

    assert_int_equal(demux_feed(f->d, "\1\0\0\0\0\0\0\1x\nplain", 15, &f->err),
                     0);
    demux_flush(f->d);
    assert_int_equal(f->lines, 2);
    assert_memory_equal(f->seen.s, "out|\1\0\0\0\0\0\0\1x\nout|plain\n", 24);
}

static void an_unknown_type_is_an_error_that_stays(void **state)
{
    struct fix *f = *state;
    cleanup_str struct str s = { 0 };

    frame(&s, 1, "good\n");
    frame(&s, 4, "x\n");
    frame(&s, 1, "never\n");
    assert_int_equal(feed(f, &s), -1);
    assert_int_equal(f->err.code, ERR_PROTOCOL);
    assert_non_null(strstr(f->err.msg, "unknown type 4"));
    f->err = (struct err){ 0 };
    assert_int_equal(demux_feed(f->d, "", 0, &f->err), -1);
    assert_non_null(strstr(f->err.msg, "unknown type 4"));
    assert_string_equal(str_c(&f->seen), "out|good\n");
}

static void the_engines_error_text_reaches_the_caller(void **state)
{
    struct fix *f = *state;
    cleanup_str struct str s = { 0 };

    frame(&s, 3, "Error grabbing logs: log message is too large\n");
    assert_int_equal(demux_feed(f->d, s.s, 20, &f->err), 0);
    assert_int_equal(demux_feed(f->d, s.s + 20, s.len - 20, &f->err), -1);
    assert_string_equal(f->err.msg,
                        "the engine's stream failed: Error grabbing logs: log "
                        "message is too large");
}

static void an_endless_error_text_is_bounded(void **state)
{
    struct fix *f = *state;
    char block[1000];
    int failed = 0, fed = 0;

    memset(block, 'e', sizeof(block));
    assert_int_equal(demux_feed(f->d, "\3\0\0\0\xff\xff\xff\xff", 8, &f->err),
                     0);
    while (failed == 0 && fed++ < 10)
        failed = demux_feed(f->d, block, sizeof(block), &f->err);
    assert_int_equal(failed, -1);
    assert_true(strlen(f->err.msg) < 600);
}

/* A line of `len` bytes of "é", which no piece may cut in half. */
static char *long_line(size_t len)
{
    char *text = xcalloc(1, len + 1);

    for (size_t i = 0; i + 1 < len; i += 2) {
        text[i] = '\xc3';
        text[i + 1] = '\xa9';
    }
    if (len % 2 == 1)
        text[len - 1] = '.';
    text[len] = '\n';
    return text;
}

struct pieces {
    size_t len[8], count;
    bool partial[8], starts_whole[8];
};

static void on_piece(enum demux_stream stream, const char *data, size_t len,
                     bool partial, void *user)
{
    struct pieces *p = user;

    (void)stream;
    p->len[p->count] = len;
    p->starts_whole[p->count] = len == 0 || data[0] != '\xa9';
    p->partial[p->count++] = partial;
}

static void feed_in_blocks(struct demux *d, const char *data, size_t len,
                           size_t block)
{
    struct err err = { 0 };

    for (size_t i = 0; i < len; i += block)
        assert_int_equal(
            demux_feed(d, data + i, len - i < block ? len - i : block, &err),
            0);
}

static void check_pieces(size_t len, size_t block, size_t first, size_t second)
{
    cleanup_free char *text = long_line(len);
    struct pieces p = { .count = 0 };
    struct demux *d = demux_new(true, on_piece, &p);

    feed_in_blocks(d, text, len + 1, block);
    assert_int_equal(p.count, second == 0 ? 1 : 2);
    assert_int_equal(p.len[0], first);
    assert_int_equal(p.partial[0], second > 0);
    if (second > 0) {
        assert_int_equal(p.len[1], second);
        assert_false(p.partial[1]);
        assert_true(p.starts_whole[1]);
    }
    demux_free(d);
}

static void a_line_too_long_comes_in_pieces_of_whole_characters(void **state)
{
    size_t max = DEMUX_LINE_MAX;

    (void)state;
    check_pieces(max, 1 << 16, max, 0);
    check_pieces(max, max + 1, max, 0);
    check_pieces(max + 2, 65521, max, 2);
    check_pieces(max + 2, max + 3, max, 2);
    check_pieces(max + 5, 65521, max, 5);
}

static void a_piece_never_ends_inside_a_character(void **state)
{
    size_t max = DEMUX_LINE_MAX;
    cleanup_free char *text = long_line(max + 4);
    struct pieces p = { .count = 0 };
    struct demux *d = demux_new(true, on_piece, &p);

    (void)state;
    /* One byte of plain text first: the limit falls inside a character. */
    feed_in_blocks(d, "x", 1, 1);
    feed_in_blocks(d, text, max + 5, 1 << 20);
    assert_int_equal(p.count, 2);
    assert_int_equal(p.len[0], max - 1);
    assert_int_equal(p.len[1], 6);
    assert_true(p.starts_whole[1]);
    demux_free(d);
}

static void binary_without_line_ends_is_bounded(void **state)
{
    size_t max = DEMUX_LINE_MAX;
    cleanup_free char *text = xcalloc(1, max * 2 + 10);
    struct pieces p = { .count = 0 };
    struct demux *d = demux_new(true, on_piece, &p);

    (void)state;
    memset(text, 0x80, max * 2 + 10);
    feed_in_blocks(d, text, max * 2 + 10, 1 << 20);
    demux_flush(d);
    assert_int_equal(p.count, 3);
    assert_int_equal(p.len[0] + p.len[1] + p.len[2], max * 2 + 10);
    assert_true(p.partial[0] && p.partial[1] && !p.partial[2]);
    demux_free(d);
}

static void whole_lines_are_handed_out_where_they_lie(void **state)
{
    struct fix *f = *state;
    cleanup_str struct str s = { 0 };

    f->count_only = true;
    for (int i = 0; i < 1000; i++)
        frame(&s, 1, "a line of some forty characters, no more\n");
    f->from = s.s;
    f->to = s.s + s.len;
    assert_int_equal(feed(f, &s), 0);
    assert_int_equal(f->lines, 1000);
    assert_int_equal(f->copied, 0);
}

/* 150 MB in 2 M lines, in blocks as a socket gives them: only the one line a
 * block's end cuts is buffered, and nothing is allocated per line. */
static void a_flood_passes_without_allocating_per_line(void **state)
{
    struct fix *f = *state;
    cleanup_str struct str s = { 0 };
    size_t blocks = 0, before;
    char line[76];

    memset(line, 'x', 75);
    line[74] = '\n';
    while (s.len < (size_t)64 << 10)
        add_frame(&s, 1, line, 75);
    f->count_only = true;
    feed(f, &s);
    before = mallinfo2().uordblks;
    while (f->lines < 2000000) {
        size_t cut = blocks++ % s.len;

        demux_feed(f->d, s.s, cut, &f->err);
        demux_feed(f->d, s.s + cut, s.len - cut, &f->err);
    }
    assert_true(f->bytes >= (size_t)2000000 * 74);
    assert_true(mallinfo2().uordblks <= before + 1024);
}

static void freed_inside_the_callback_it_says_no_more(void **state)
{
    struct fix *f = *state;
    cleanup_str struct str s = { 0 };

    f->free_in_line = true;
    frame(&s, 1, "one\ntwo\n");
    frame(&s, 1, "three\n");
    assert_int_equal(feed(f, &s), 0);
    assert_string_equal(str_c(&f->seen), "out|one\n");
}

/* ---- joined lines ---------------------------------------------------------
 */

static void joined_lines_come_in_one_call_where_they_lie(void **state)
{
    struct fix *f = *state;
    cleanup_str struct str s = { 0 };

    demux_join_lines(f->d);
    frame(&s, 1, "one\n\nthree\nbegun");
    frame(&s, 2, "bad\nworse\n");
    frame(&s, 1, " line\nlast\nand\n");
    f->from = s.s;
    f->to = s.s + s.len;
    assert_int_equal(feed(f, &s), 0);
    assert_string_equal(str_c(&f->seen), "out|one\n\nthree\nerr|bad\nworse\n"
                                         "out|begun line\nout|last\nand\n");
    assert_int_equal(f->copied, 1); /* the one that was cut */
}

/* Numbered lines of both streams, some of them long, in frames of any size. */
static void make_flood(struct str *s, struct str *expected, unsigned *seed)
{
    struct str text[2] = { { 0 }, { 0 } };
    size_t at[2] = { 0, 0 };

    for (int i = 0; i < 20000; i++) {
        str_printf(&text[i % 2], "%d %.*s\n", i, rand_r(seed) % 90,
                   "..........................................................."
                   "...............................");
        if (i % 1000 == 0)
            for (int j = 0; j < 30000; j++)
                str_add(&text[i % 2], "long\xc3\xa9");
    }
    while (at[0] < text[0].len || at[1] < text[1].len) {
        int n = rand_r(seed) % 2;
        size_t left = text[n].len - at[n];
        size_t len = (size_t)rand_r(seed) % 9000;

        add_frame(s, n == 0 ? 1 : 2, text[n].s + at[n],
                  len < left ? len : left);
        at[n] += len < left ? len : left;
    }
    for (int n = 0; n < 2; n++) {
        str_add_len(expected, text[n].s, text[n].len);
        str_release(&text[n]);
    }
}

struct both {
    struct str text[2];
    size_t longest;
};

static void on_text(enum demux_stream stream, const char *data, size_t len,
                    bool partial, void *user)
{
    struct both *b = user;

    assert_true(!partial || memchr(data, '\n', len) == NULL);
    b->longest = len > b->longest ? len : b->longest;
    str_add_len(&b->text[stream], data, len);
    if (!partial)
        str_add_char(&b->text[stream], '\n');
}

static void joined_lines_are_whole_wherever_the_stream_is_cut(void **state)
{
    cleanup_str struct str s = { 0 }, expected = { 0 };
    unsigned seed = 11;

    (void)state;
    make_flood(&s, &expected, &seed);
    for (int run = 0; run < 6; run++) {
        size_t most = run == 0 ? s.len : (size_t)3 << (4 * run), n;
        struct both b = { .longest = 0 };
        struct demux *d = demux_new(false, on_text, &b);
        struct err err = { 0 };

        demux_join_lines(d);
        for (size_t i = 0; i < s.len; i += n) {
            n = run == 0 ? s.len : 1 + (size_t)rand_r(&seed) % most;
            n = n < s.len - i ? n : s.len - i;
            assert_int_equal(demux_feed(d, s.s + i, n, &err), 0);
        }
        demux_flush(d);
        str_add_len(&b.text[0], b.text[1].s, b.text[1].len);
        assert_int_equal(b.text[0].len, expected.len);
        assert_memory_equal(b.text[0].s, expected.s, expected.len);
        assert_true(b.longest <= DEMUX_LINE_MAX);
        str_release(&b.text[0]);
        str_release(&b.text[1]);
        demux_free(d);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(lines_come_from_frames_of_both_streams),
        TEST(a_line_goes_on_in_later_frames_of_its_stream),
        TEST(a_cut_anywhere_changes_nothing),
        TEST(a_carriage_return_is_kept),
        TEST(a_nul_byte_is_text_like_any_other),
        TEST(the_last_line_needs_no_line_end),
        cmocka_unit_test_setup_teardown(a_terminal_has_no_frames, setup_raw,
                                        teardown),
        TEST(an_unknown_type_is_an_error_that_stays),
        TEST(the_engines_error_text_reaches_the_caller),
        TEST(an_endless_error_text_is_bounded),
        cmocka_unit_test(a_line_too_long_comes_in_pieces_of_whole_characters),
        cmocka_unit_test(a_piece_never_ends_inside_a_character),
        cmocka_unit_test(binary_without_line_ends_is_bounded),
        TEST(whole_lines_are_handed_out_where_they_lie),
        TEST(a_flood_passes_without_allocating_per_line),
        TEST(freed_inside_the_callback_it_says_no_more),
        TEST(joined_lines_come_in_one_call_where_they_lie),
        cmocka_unit_test(joined_lines_are_whole_wherever_the_stream_is_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
