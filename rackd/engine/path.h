/* path -- paths of requests, with everything from outside escaped. Private to
 * engine/. */
#ifndef ENGINE_PATH_H
#define ENGINE_PATH_H

struct str;

/* Appends "/containers/" + id + "/start"; `what` may be "". A '/', ':' or '@'
 * in the id stays as it is, since references of images have them. */
void path_begin(struct str *path, const char *kind, const char *id,
                const char *what);

/* Appends "?key=value" or "&key=value"; nothing when the value is NULL. */
void path_query(struct str *path, const char *key, const char *value);

/* Appends filters={"key":["value"]}; nothing when the value is NULL. */
void path_filter(struct str *path, const char *key, const char *value);

/* Appends the same for a label "key=value". */
void path_label(struct str *path, const char *label);

#endif /* ENGINE_PATH_H */
