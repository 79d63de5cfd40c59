/*
 * sweeper -- sweeps one engine whenever something may have been left there:
 * before the first session, and after each that could not remove all of its
 * objects, until a sweep finds none.
 *
 *     s = sweeper_new(loop, &scope);       copied
 *     sweeper_before_session(s);
 *     sweeper_objects_remain(s);           a session could not remove all
 *     sweeper_close(s, on_closed, user);
 */
#ifndef GUARD_SWEEPER_H
#define GUARD_SWEEPER_H

#include <stdbool.h>
#include <uv.h>

struct sweep_scope;
struct sweeper;

struct sweeper *sweeper_new(uv_loop_t *loop, const struct sweep_scope *scope);

/* Sweeps now if that has not been done yet, or something is known to remain. */
void sweeper_before_session(struct sweeper *s);

/* Something of a session remains: sweep soon, and until nothing does. */
void sweeper_objects_remain(struct sweeper *s);

/* The last sweep has ended and found nothing that it could not remove. */
bool sweeper_is_clean(const struct sweeper *s);

/* For a sweep by hand (sweep_start()). Borrowed. */
struct sweep_scope *sweeper_scope(struct sweeper *s);

/* Ends the sweeps under way; cb runs once, from the loop, then s is gone. */
void sweeper_close(struct sweeper *s, void (*cb)(void *user), void *user);

#endif /* GUARD_SWEEPER_H */
