/* player_object.h: the Player of _player.pyi. */
#ifndef BRIDGECHECK_BINDING_PLAYER_OBJECT_H
#define BRIDGECHECK_BINDING_PLAYER_OBJECT_H

#include "state.h"

extern PyType_Spec player_object_spec;

#endif
