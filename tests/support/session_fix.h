/*
 * session_fix -- a session on a scripted engine: an app with a resource `db`
 * and a service `web` that lists it. No probe and no health check: ready is
 * "started". Tests change the plan and the script, then begin.
 */
#ifndef TESTS_SESSION_FIX_H
#define TESTS_SESSION_FIX_H

#include <stdbool.h>

#include "base/str.h"
#include "host/port.h"
#include "logs/hub.h"
#include "plan/plan.h"
#include "run/session.h"
#include "support/fake_engine.h"
#include "support/loop_fix.h"

struct fix {
    struct loop_fix base;
    struct fake_engine *fake;
    struct engine *engine;
    struct plan plan;
    struct plan_resource *db; /* of the plan as it is at first */
    struct plan_service *web;
    struct hub *hub;
    struct image_notes *notes;
    struct port_book ports;
    struct session *session;
    struct session_spec spec;
    struct str events; /* "resource db ready\n", ... */
    bool ready, gone, closed;
    int status;
};

/* Plans own their strings; this one is never freed as a whole. */
#define TEXT(s) ((char *)(s))

int session_fix_setup(void **state);
int session_fix_teardown(void **state);

#define SESSION_TEST(fn)                                                       \
    cmocka_unit_test_setup_teardown(fn, session_fix_setup, session_fix_teardown)

#define CREATE     "/containers/create?name=app-s1-"
#define CREATE_DB  CREATE "resource-db"
#define CREATE_WEB CREATE "web-1"

/* What a good engine says to this app; again after a new fake engine. */
void session_fix_script(struct fix *f);

/* What it says to another container, once that has been created. */
void script_container(struct fix *f, const char *id);

void answer(struct fix *f, const char *method, const char *path, int status,
            const char *body);
void answer_never(struct fix *f, const char *method, const char *path);
void answer_once(struct fix *f, const char *method, const char *path,
                 int status, const char *body);
void answer_late(struct fix *f, const char *method, const char *path,
                 int status, const char *body, unsigned ms);

/* The next container of this name, whose create asks for `path`, has this id.
 */
void next_is(struct fix *f, const char *path, const char *id);

void begin(struct fix *f);
void wait_ready(struct fix *f);
void become_ready(struct fix *f); /* begin() and wait_ready() */

/* Let time pass: for what must not happen meanwhile. */
void run_for(struct fix *f, unsigned ms);

/* Until the engine was asked for it, so often and no oftener. */
void wait_asked(struct fix *f, const char *path, size_t times);
void assert_asked(const struct fix *f, const char *path, size_t times);

/* Until this is in the events; so often. */
void wait_event(struct fix *f, const char *text);
void wait_event_times(struct fix *f, const char *text, unsigned times);
unsigned events_with(const struct fix *f, const char *text);

/* Until the session is gone, its network with it. */
void wait_gone(struct fix *f);

/* Until it is gone, whatever is left. */
void wait_over(struct fix *f);
void stop_it(struct fix *f);
void finish(struct fix *f); /* stop_it() and wait_gone() */

void push_event(struct fix *f, const char *id, const char *action, int status);
/* "disconnect" of a container, "destroy" of the network itself. */
void push_network_event(struct fix *f, const char *action,
                        const char *container);
/* It died; its last words may still come, so the session waits for them. */
void push_die(struct fix *f, const char *id, int status);
/* It died, and its output has ended. */
void push_exit(struct fix *f, const char *id, int status);

void assert_event(const struct fix *f, const char *text);
void assert_no_event(const struct fix *f, const char *text);

/* The request's place among all; requests are kept in order of time. */
int place_of(const struct fix *f, const char *part);

#endif /* TESTS_SESSION_FIX_H */
