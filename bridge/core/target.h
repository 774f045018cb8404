/* target.h: path and query of a request target (RFC 9112 section 3.2).
 *
 * Owns nothing: what it finds are places in the caller's bytes. Accepts what the URL parser of http-parser accepts, which httptools and so
 * uvicorn use (origin, absolute and asterisk form; a fragment is cut off), except that an absolute target without a path has the path "/"
 * (RFC 9112 section 3.2.2, RFC 9110 section 4.2.3).
 */
#ifndef BRIDGE_TARGET_H
#define BRIDGE_TARGET_H

#include <stdbool.h>
#include <stddef.h>

#define TARGET_SIZE_MAX 65535u /* bytes */

struct target {
    const char *path; /* never empty; static "/" where an absolute target has none */
    size_t path_size;
    const char *query; /* without the question mark; NULL and 0 where there is none */
    size_t query_size;
};

/* False: it is no target that can be served (longer than TARGET_SIZE_MAX, or not well formed), and *FOUND is not to be read. */
bool target_parse(const char *bytes, size_t size, struct target *found);

#endif
