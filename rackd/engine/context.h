/*
 * context -- a build's context as a tar, and what its Dockerfile says.
 *
 * context_pack() walks a directory and writes a tar into an unlinked temporary
 * file. It blocks: run it with uv_queue_work(). It honours .dockerignore (and
 * DOCKERFILE.dockerignore), sorts entries, keeps modes and symlinks, sets owner
 * 0:0, and writes relative names.
 */
#ifndef ENGINE_CONTEXT_H
#define ENGINE_CONTEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/strv.h"

struct err;

/* What a Dockerfile refers to. It is read line by line: continuations, ARG
 * before FROM, ${VAR}, comments, and the escape directive are understood. */
struct dockerfile {
    /* Images of FROM and COPY --from, each once, with the defaults of ARG
     * filled in; stages of this file and "scratch" are left out. */
    struct strv bases;
    struct strv args;   /* names of all ARGs */
    struct strv stages; /* names of stages, lower case */
};

void dockerfile_parse(struct dockerfile *out, const char *text, size_t len,
                      const struct strv *args);
void dockerfile_release(struct dockerfile *d);

/* Packs `dir`. `replace` (NULL: none) holds pairs "FROM=TO": images of FROM
 * lines that are written differently into the Dockerfile of the tar, for
 * stand-ins where no registry answers. On success *fd is the tar (the caller
 * closes it) and *dockerfile_name the name of the Dockerfile inside it (the
 * caller frees it). A missing directory or Dockerfile is ERR_INVALID with the
 * path in the message. */
int context_pack(int *fd, char **dockerfile_name, const char *dir,
                 const char *dockerfile, const struct strv *replace,
                 struct err *err);

/* Makes a tar in memory of small files: each of `paths` with the text of the
 * same index. One that begins with "#!" is executable. The caller frees
 * *out. */
int context_files(char **out, size_t *len, const struct strv *paths,
                  const struct strv *texts, struct err *err);

/* Makes a tar of one executable program, at the root. The caller frees *out. */
int context_program(char **out, size_t *len, const char *name,
                    const void *program, size_t size, struct err *err);

/* Makes a tar of one directory entry: extracting it gives that directory this
 * owner and mode. The caller frees *out. */
int context_directory(char **out, size_t *len, const char *path, long uid,
                      long gid, unsigned mode, struct err *err);

#endif /* ENGINE_CONTEXT_H */
