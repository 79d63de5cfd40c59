/*
 * loop_fix -- what a test of an asynchronous part begins with: a loop, a
 * directory of its own, and the path of a socket in it. A fixture embeds it:
 *
 *     struct fix {
 *         struct loop_fix base;
 *         struct httpd *server;
 *     };
 *
 *     loop_fix_init(&f->base);            first in its setup
 *     httpd_listen_unix(server, f->base.path, &err);
 *     ...
 *     httpd_close(server, NULL, NULL);    close what the test made, then:
 *     loop_fix_release(&f->base);         nothing may be left on the loop
 */
#ifndef TESTS_LOOP_FIX_H
#define TESTS_LOOP_FIX_H

#include <uv.h>

#include "support/looptest.h"
#include "support/tmp_dir.h"

struct loop_fix {
    uv_loop_t loop;
    struct tmp_dir dir;
    char path[64];     /* of a socket that nobody has made yet */
    char endpoint[80]; /* "unix://" and the path */
};

/* SIGPIPE is ignored from here on, as in rackd. */
void loop_fix_init(struct loop_fix *base);

/* Runs what is still closing, and fails the test when a handle is left. */
void loop_fix_release(struct loop_fix *base);

#endif /* TESTS_LOOP_FIX_H */
