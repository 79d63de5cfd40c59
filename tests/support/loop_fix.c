#include "support/loop_fix.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <stdio.h>

void loop_fix_init(struct loop_fix *base)
{
    signal(SIGPIPE, SIG_IGN);
    assert_int_equal(uv_loop_init(&base->loop), 0);
    tmp_dir_init(&base->dir);
    snprintf(base->path, sizeof(base->path), "%s/sock", base->dir.path);
    snprintf(base->endpoint, sizeof(base->endpoint), "unix://%s", base->path);
}

void loop_fix_release(struct loop_fix *base)
{
    assert_true(loop_ends_clean(&base->loop));
    tmp_dir_release(&base->dir);
}
