/*
 * engine_fix -- what the tests of engine/ share: a fake engine, a client that
 * knows it, and callbacks that note what they were told.
 */
#ifndef TESTS_ENGINE_FIX_H
#define TESTS_ENGINE_FIX_H

#include <stdbool.h>

#include "base/env.h"
#include "base/err.h"
#include "base/str.h"
#include "engine/engine.h"
#include "support/fake_engine.h"
#include "support/loop_fix.h"

struct engine_fix {
    struct loop_fix base;
    struct fake_engine *fake;
    struct engine *engine;
    struct env env;
    bool done, closed, gone; /* gone: the engine was closed by the test */
    int calls;               /* of the final callback */
    struct err err;
    struct str text; /* whatever was handed out, readable */
    /* What a callback does besides noting: */
    bool cancel_in_data, close_in_done, cancel_in_done;
    struct engine_call *call;
};

int engine_fix_setup(void **state);
int engine_fix_teardown(void **state);

/* Callbacks; `user` is the fixture. */
void fix_done(const struct err *err, void *user);
void fix_id(const char *id, const struct err *err, void *user);
void fix_data(const char *data, size_t len, void *user);
void fix_line(const char *line, size_t len, void *user);
void fix_ready(const struct err *err, void *user);

/* Note the end of a call, with its error, and act as told. */
void fix_end(struct engine_fix *f, const struct err *err);

/* Wait for the end of a call. */
void fix_wait(struct engine_fix *f);

/* Wait until so much text has been handed out, or so many requests have been
 * seen. */
void fix_wait_text(struct engine_fix *f, size_t len);
void fix_wait_requests(struct engine_fix *f, size_t count);

/* Wait until the engine has no connection of ours any more; no call may end
 * meanwhile, and none can later. */
void fix_wait_let_go(struct engine_fix *f);

/* Run the loop for so long, in which no call may end. */
void fix_idle(struct engine_fix *f, unsigned ms);

#endif /* TESTS_ENGINE_FIX_H */
