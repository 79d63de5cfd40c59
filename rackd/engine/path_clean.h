/* path_clean -- paths without ".", ".." and doubled slashes. Private to
 * engine/. */
#ifndef ENGINE_PATH_CLEAN_H
#define ENGINE_PATH_CLEAN_H

/* Cleans like Go's filepath.Clean: "a//b/../c/" becomes "a/c", "" becomes ".",
 * "/.." becomes "/". Only the text is looked at, not the disk. The caller frees
 * it. */
char *path_clean(const char *path);

#endif /* ENGINE_PATH_CLEAN_H */
