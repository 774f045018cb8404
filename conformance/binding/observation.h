/* observation.h: what came of a script, as the Observation of _player.pyi. */
#ifndef BRIDGECHECK_BINDING_OBSERVATION_H
#define BRIDGECHECK_BINDING_OBSERVATION_H

#include "../player/script.h"
#include "state.h"

/* A new Observation, or NULL and an exception. */
PyObject *observation_of(struct binding_state *state, const struct script *script);

/* A new list of Calls that belong to no exchange. */
PyObject *observation_calls(struct binding_state *state, const struct calls_list *calls);

#endif
