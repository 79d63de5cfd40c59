/* path -- request paths with everything from outside escaped. Private to
 * engine/. */
#ifndef ENGINE_PATH_H
#define ENGINE_PATH_H

struct str;

/* "/containers/" + id + "/start"; `what` may be "". A '/', ':' or '@' of the
 * id stays as it is: image references have them. */
void path_begin(struct str *path, const char *kind, const char *id,
                const char *what);

/* "?key=value" or "&key=value"; nothing when the value is NULL. */
void path_query(struct str *path, const char *key, const char *value);

/* filters={"key":["value"]}; nothing when the value is NULL. */
void path_filter(struct str *path, const char *key, const char *value);

/* The same for a label "key=value". */
void path_label(struct str *path, const char *label);

#endif /* ENGINE_PATH_H */
