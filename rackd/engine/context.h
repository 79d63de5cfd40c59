/*
 * context -- a build's context as a tar, and what its Dockerfile says.
 *
 * context_pack() walks a directory and writes a tar into an unlinked
 * temporary file; it blocks, so run it with uv_queue_work(). It honours
 * .dockerignore (and DOCKERFILE.dockerignore), sorts entries, keeps modes and
 * symlinks, owner 0:0, names relative.
 */
#ifndef ENGINE_CONTEXT_H
#define ENGINE_CONTEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/strv.h"

struct err;

/* What a Dockerfile asks for, read line by line (continuations, ARG before
 * FROM, ${VAR}, comments, escape directive). */
struct dockerfile {
    struct strv bases;  /* images of FROM and COPY --from that are no stage of
                           this file, ARG defaults applied, "scratch" left out,
                           each once */
    struct strv args;   /* names of all ARGs */
    struct strv stages; /* names of stages, lower case */
};

void dockerfile_parse(struct dockerfile *out, const char *text, size_t len,
                      const struct strv *args);
void dockerfile_release(struct dockerfile *d);

/*
 * `replace` holds pairs "FROM=TO": images of FROM lines to write differently
 * into the tar's Dockerfile (stand-ins where no registry answers); NULL:
 * none. On success *fd is the tar (the caller closes it) and *dockerfile_name
 * the name to build from inside it (the caller frees it). A missing directory
 * or Dockerfile is ERR_INVALID with the path in the message.
 */
int context_pack(int *fd, char **dockerfile_name, const char *dir,
                 const char *dockerfile, const struct strv *replace,
                 struct err *err);

/* A tar in memory of small files: pairs of path and text. The caller frees
 * *out. */
int context_files(char **out, size_t *len, const struct strv *paths,
                  const struct strv *texts, struct err *err);

/* A tar of one program, executable, at the root. The caller frees *out. */
int context_program(char **out, size_t *len, const char *name,
                    const void *program, size_t size, struct err *err);

/* A tar of one directory entry: extracted, it gives that directory this owner
 * and mode. The caller frees *out. */
int context_directory(char **out, size_t *len, const char *path, long uid,
                      long gid, unsigned mode, struct err *err);

#endif /* ENGINE_CONTEXT_H */
