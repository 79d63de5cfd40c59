/* clean -- paths without ".", ".." and doubled slashes. Private to engine/. */
#ifndef ENGINE_CLEAN_H
#define ENGINE_CLEAN_H

/* As Go's filepath.Clean: "a//b/../c/" -> "a/c", "" -> ".", "/.." -> "/". Only
 * the text is looked at. The caller frees it. */
char *path_clean(const char *path);

#endif /* ENGINE_CLEAN_H */
