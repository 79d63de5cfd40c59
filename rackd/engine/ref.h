/* ref -- image references: "postgres:17", "ghcr.io/a/b@sha256:...". Private
 * to engine/. */
#ifndef ENGINE_REF_H
#define ENGINE_REF_H

struct err;

struct ref {
    char *name;     /* as written, without tag and digest */
    char *registry; /* "docker.io" where none is written */
    char *tag;      /* "latest" where there is neither tag nor digest; else
                       NULL when there is none */
    char *digest;   /* "sha256:...", or NULL */
};

int ref_parse(struct ref *out, const char *text, struct err *err);
void ref_release(struct ref *r);

#endif /* ENGINE_REF_H */
