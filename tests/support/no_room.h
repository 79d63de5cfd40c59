/*
 * no_room -- where files may not grow there is no room for the guard's program,
 * so the guard has no process (guard/reaper_process.c).
 *
 *     no_room(true);
 *     ...
 *     no_room(false);      in the teardown: it is this process's own limit
 */
#ifndef TESTS_NO_ROOM_H
#define TESTS_NO_ROOM_H

#include <stdbool.h>

void no_room(bool none);

#endif /* TESTS_NO_ROOM_H */
