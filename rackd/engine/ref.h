/* ref -- references of images: "postgres:17", "ghcr.io/a/b@sha256:...". Private
 * to engine/. */
#ifndef ENGINE_REF_H
#define ENGINE_REF_H

struct err;

struct ref {
    char *name;     /* as written, without tag and digest */
    char *registry; /* "docker.io" where none is written */
    /* "latest" when there is neither tag nor digest; NULL when there is only a
     * digest. */
    char *tag;
    char *digest; /* "sha256:...", or NULL */
};

/* ERR_INVALID when it is none. `out` needs ref_release() only on success. */
int ref_parse(struct ref *out, const char *text, struct err *err);
void ref_release(struct ref *r);

#endif /* ENGINE_REF_H */
