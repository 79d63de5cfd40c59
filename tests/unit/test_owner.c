#include "guard/owner.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"

enum { UID, MACHINE, PIDS, BOOT, PID, START, PARTS };

/* `owner` with another part; the caller frees it. */
static char *with(const char *owner, int part, const char *text)
{
    struct str out = { 0 };

    for (int i = 0; i < PARTS; i++) {
        size_t len = strcspn(owner, ".");

        if (i > 0)
            str_add_char(&out, '.');
        if (i == part)
            str_add(&out, text);
        else
            str_add_len(&out, owner, len);
        owner += len;
        owner += *owner == '.';
    }
    return str_take(&out);
}

static enum owner_verdict judge_with(int part, const char *text)
{
    cleanup_free char *self = owner_self();
    cleanup_free char *other = with(self, part, text);

    assert_string_not_equal(self, other);
    return owner_judge(self, other);
}

/* A child that is there, and what it would put on its labels. */
static pid_t child(char **owner)
{
    int fds[2];
    char text[256] = "";
    pid_t pid;

    assert_int_equal(pipe(fds), 0);
    pid = fork();
    if (pid == 0) {
        char *self = owner_self();

        if (write(fds[1], self, strlen(self)) > 0)
            pause();
        _exit(1);
    }
    close(fds[1]);
    assert_true(read(fds[0], text, sizeof(text) - 1) > 0);
    close(fds[0]);
    *owner = xstrdup(text);
    return pid;
}

static void own_objects_are_ones_own(void **state)
{
    cleanup_free char *self = owner_self();
    cleanup_free char *again = owner_self();

    (void)state;
    assert_string_equal(self, again);
    assert_int_equal(owner_judge(self, self), OWNER_SELF);
    assert_string_not_equal(strrchr(self, '.'), ".0");
}

static void living_process_is_alive_until_it_ends(void **state)
{
    cleanup_free char *self = owner_self();
    cleanup_free char *other = NULL;
    pid_t pid = child(&other);
    siginfo_t info;

    (void)state;
    assert_int_equal(owner_judge(self, other), OWNER_ALIVE);
    kill(pid, SIGKILL);
    /* It has ended, and its parent has not asked: a zombie. */
    assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    assert_int_equal(owner_judge(self, other), OWNER_DEAD);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_int_equal(owner_judge(self, other), OWNER_DEAD);
}

static void pid_that_is_somebody_elses_now_is_dead(void **state)
{
    (void)state;
    assert_int_equal(judge_with(START, "1"), OWNER_DEAD);
}

static void
other_users_machines_and_containers_are_not_ours_to_judge(void **state)
{
    (void)state;
    assert_int_equal(judge_with(UID, "123456"), OWNER_UNKNOWN);
    assert_int_equal(judge_with(MACHINE, "0123456789abcdef"), OWNER_UNKNOWN);
    assert_int_equal(judge_with(PIDS, "1"), OWNER_UNKNOWN);
}

static void machine_that_was_booted_since_has_none_of_them(void **state)
{
    static const char me[] = "0.abc.1.b1.1.1";

    (void)state;
    assert_int_equal(owner_judge(me, "0.abc.1.b2.1.1"), OWNER_DEAD);
    /* Without an id it may be another one. */
    assert_int_equal(owner_judge("0.-.1.b1.1.1", "0.-.1.b2.1.1"),
                     OWNER_UNKNOWN);
    /* The same boot is the same machine. */
    assert_int_equal(owner_judge("0.-.1.b1.1.1", "0.-.1.b1.1.2"), OWNER_DEAD);
}

static void nonsense_is_nobodys_to_remove(void **state)
{
    static const char *const all[] = { "",
                                       ".",
                                       "garbage",
                                       ".....",
                                       "0.abc.1.b1.1",
                                       "0.abc.1.b1.1.",
                                       "0.abc.1.b1.1.1.1",
                                       "0.abc.1.b1.1.1.",
                                       ".abc.1.b1.1.1",
                                       "0..1.b1.1.1",
                                       "\xff\xfe" };

    (void)state;
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        if (owner_judge("0.abc.1.b1.2.2", all[i]) != OWNER_UNKNOWN)
            fail_msg("%s", all[i]);
    assert_int_equal(judge_with(PID, "abc"), OWNER_ALIVE);
    assert_int_equal(judge_with(PID, "0"), OWNER_ALIVE);
    assert_int_equal(judge_with(PID, "-1"), OWNER_ALIVE);
    assert_int_equal(judge_with(PID, "../1"), OWNER_UNKNOWN);
}

static void owner_is_named_by_its_pid(void **state)
{
    cleanup_free char *named = owner_words("0.abc.1.b1.77.1");
    cleanup_free char *unnamed = owner_words("garbage");

    (void)state;
    assert_string_equal(named, "rackd 77");
    assert_string_equal(unnamed, "a rackd");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(own_objects_are_ones_own),
        cmocka_unit_test(living_process_is_alive_until_it_ends),
        cmocka_unit_test(pid_that_is_somebody_elses_now_is_dead),
        cmocka_unit_test(
            other_users_machines_and_containers_are_not_ours_to_judge),
        cmocka_unit_test(machine_that_was_booted_since_has_none_of_them),
        cmocka_unit_test(nonsense_is_nobodys_to_remove),
        cmocka_unit_test(owner_is_named_by_its_pid),
    };

    return cmocka_run_group_tests_name("owner", tests, NULL, NULL);
}
