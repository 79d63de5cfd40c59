#include "support/engine_fix.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/mem.h"

static void on_closed(void *user)
{
    ((struct engine_fix *)user)->closed = true;
}

int engine_fix_setup(void **state)
{
    struct engine_fix *f = xcalloc(1, sizeof(*f));
    struct err err;

    *state = f;
    loop_fix_init(&f->base);
    f->fake = fake_engine_new(&f->base.loop, f->base.path);
    return engine_new(&f->engine, &f->base.loop, f->base.endpoint, NULL, &err);
}

int engine_fix_teardown(void **state)
{
    struct engine_fix *f = *state;

    if (!f->gone)
        engine_close(f->engine, on_closed, f);
    WAIT_FOR(&f->base.loop, f->closed);
    fake_engine_close(f->fake);
    loop_fix_release(&f->base);
    env_release(&f->env);
    str_release(&f->text);
    free(f);
    return 0;
}

void fix_end(struct engine_fix *f, const struct err *err)
{
    f->done = true;
    f->calls++;
    f->err = err == NULL ? (struct err){ 0 } : *err;
    if (f->cancel_in_done)
        engine_cancel(f->call);
    if (f->close_in_done) {
        f->gone = true;
        engine_close(f->engine, on_closed, f);
    }
}

void fix_done(const struct err *err, void *user)
{
    fix_end(user, err);
}

void fix_id(const char *id, const struct err *err, void *user)
{
    struct engine_fix *f = user;

    assert_true((id == NULL) == (err != NULL));
    str_printf(&f->text, "id=%s\n", id == NULL ? "none" : id);
    fix_end(f, err);
}

void fix_data(const char *data, size_t len, void *user)
{
    struct engine_fix *f = user;

    str_add_len(&f->text, data, len);
    if (f->cancel_in_data)
        engine_cancel(f->call);
}

void fix_line(const char *line, size_t len, void *user)
{
    struct engine_fix *f = user;

    assert_int_equal(strlen(line), len);
    str_printf(&f->text, "%s\n", line);
    if (f->cancel_in_data)
        engine_cancel(f->call);
}

void fix_ready(const struct err *err, void *user)
{
    struct engine_fix *f = user;

    assert_null(err);
    str_add(&f->text, "[ready]");
}

void fix_wait(struct engine_fix *f)
{
    assert_false(f->done); /* never from inside the starting call */
    WAIT_FOR(&f->base.loop, f->done);
    assert_int_equal(f->calls, 1);
    f->done = false;
    f->calls = 0;
}

void fix_wait_text(struct engine_fix *f, size_t len)
{
    WAIT_FOR(&f->base.loop, f->text.len >= len);
}

void fix_wait_requests(struct engine_fix *f, size_t count)
{
    WAIT_FOR(&f->base.loop, fake_engine_requests(f->fake) >= count);
    assert_int_equal(fake_engine_requests(f->fake), count);
}

void fix_wait_let_go(struct engine_fix *f)
{
    WAIT_FOR(&f->base.loop, fake_engine_conns(f->fake) == 0);
    assert_int_equal(f->calls, 0);
}

void fix_idle(struct engine_fix *f, unsigned ms)
{
    loop_run_for(&f->base.loop, ms);
    assert_int_equal(f->calls, 0);
}
