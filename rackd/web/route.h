/*
 * route -- does a request's path fit a pattern, and what do its named parts
 * stand for? Pure. Private to web/.
 *
 *     "/apps/{app}/processes/{pid}"    a name is one whole segment, not empty
 *     "/apps/{app}/builds/{id}.tgz"    or all of it but a fixed end
 *     "/apps/{app}/objects/{key:*}"    or, at the end, all that is left, '/'
 *                                      included; it may be empty
 *
 * Segments are split first and decoded then: "a%2Fb" is one. Several slashes in
 * a row count as one, because a client joins "http://rack/" and "/apps".
 */
#ifndef WEB_ROUTE_H
#define WEB_ROUTE_H

#include <stdbool.h>

struct httphead_fields;

/* `raw_path` is as it was sent. What the names stand for is added to `args`,
 * also when false. */
bool route_fits(const char *pattern, const char *raw_path,
                struct httphead_fields *args);

#endif /* WEB_ROUTE_H */
