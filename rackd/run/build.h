/*
 * build -- one build of the plan, shared by the services that have the same
 * directory and Dockerfile: the Dockerfile is read, its base images are made
 * sure of, the context is packed, the engine builds.
 *
 *     b = build_new(s, &plan->builds.v[i]);
 *     build_poke(b);                     from every session_poke()
 *     if (build_state(b) == BUILD_DONE)
 *         create a container from build_image(b)
 *     build_cancel(b)                    until true, then build_free(b)
 */
#ifndef RUN_BUILD_H
#define RUN_BUILD_H

#include <stdbool.h>
#include <stddef.h>

struct build;
struct plan_build;
struct session;

enum build_state {
    BUILD_IDLE,
    BUILD_READING, /* the Dockerfile, off the loop */
    BUILD_BASES,   /* its base images are looked up and pulled */
    BUILD_RUNNING, /* the context is packed and the engine builds */
    BUILD_DONE,
    BUILD_FAILED,
};

/* Images of our builds are named so. */
#define BUILD_REPOSITORY "cvx-build/"

struct build *build_new(struct session *s, const struct plan_build *plan);
void build_poke(struct build *b);
enum build_state build_state(const struct build *b);
size_t build_mark(const struct build *b); /* in the session's marks */

/* Its image is gone: build it once more. False: that may not be. */
bool build_again(struct build *b);

/* What to create from: its image's id, so that a build of the same app in
 * another session cannot put another image under the tag meanwhile. */
const char *build_image(const struct build *b);

/* True once no work of it is under way; frees nothing. */
bool build_cancel(struct build *b);

/* At the session's end: removes the image that had the tag before it. Not
 * earlier: another session of the app may be about to create from it. */
void build_drop_old(struct build *b);
void build_free(struct build *b);

#endif /* RUN_BUILD_H */
