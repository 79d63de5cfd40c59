/* build -- which sources a binary was made from. cvx compares it with rackd's,
 * to notice that a rackd of another build is running. */
#ifndef BASE_BUILD_H
#define BASE_BUILD_H

/* A hash of all sources; the Makefile generates the definition. */
extern const char cvx_build[];

#endif /* BASE_BUILD_H */
