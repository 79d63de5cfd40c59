/*
 * fake_rackd -- a rackd of a few lines, for tests of cvx: the test's own
 * binary, executed again with the arguments that cvx gives to rackd.
 *
 *     if (fake_rackd_wanted(argv))
 *         return fake_rackd_main(argv);
 *
 * It serves one connection after the other. The environment says how:
 *
 *     FAKE_BUILD, FAKE_SESSIONS   what /version answers
 *     FAKE_MODE                   refuse: a line of text instead of being
 *                                 ready; crash: die before; else what
 *                                 /start does:
 *                                 "" until a stop is asked for; now: until
 *                                 one with now=1; stuck: for ever; silent:
 *                                 no event at all; starting: never ready; die:
 * exits after the first event; fails: ends with status 3
 *
 * Each start of it and each request is a line in requests.log beside the
 * socket.
 */
#ifndef TESTS_FAKE_RACKD_H
#define TESTS_FAKE_RACKD_H

#include <stdbool.h>

bool fake_rackd_wanted(char **argv);
int fake_rackd_main(char **argv);

#endif /* TESTS_FAKE_RACKD_H */
