/*
 * vec -- growing arrays of plain structs: any struct with the three members
 * `v`, `len` and `cap`.
 *
 *     struct { struct port *v; size_t len, cap; } ports = { 0 };
 *     struct port *p = vec_add(&ports);      zeroed; valid until the next add
 *     free(ports.v);
 */
#ifndef BASE_VEC_H
#define BASE_VEC_H

#include <string.h>

#include "base/mem.h"

/* Makes room for one element more, zeroes it and returns the array. */
static inline void *vec_grow(void *v, size_t len, size_t *cap, size_t size)
{
    if (len == *cap) {
        *cap = *cap == 0 ? 4 : *cap * 2;
        v = xrealloc(v, *cap * size);
    }
    memset((char *)v + len * size, 0, size);
    return v;
}

/* Adds a zeroed element and returns a pointer to it. */
#define vec_add(vec)                                                           \
    ((vec)->v =                                                                \
         vec_grow((vec)->v, (vec)->len, &(vec)->cap, sizeof(*(vec)->v)),       \
     &(vec)->v[(vec)->len++])

#endif /* BASE_VEC_H */
