// What follows the end of a run that nobody asked for: the exit's meaning, the restart policy, the backoff.
#pragma once

#include <string>

#include "daemon/core/turn.hpp"

namespace plimsoll::core {

/// By the key `success`: an exit code, or 128 + n for the end by signal n.
bool was_success(const Service& plan, const Exit& exit);

/// What the restart policy makes of it; counts the restart for `give_up`.
Afterwards by_policy(Turn& turn, ServiceLife& life, const Exit& exit);

/// True when `give_up` allows no more restarts; counts this one.
bool gives_up(Turn& turn, ServiceLife& life);

/// A run that lived long enough starts the backoff's series anew.
void forgive(const Turn& turn, ServiceLife& life);

/// How long the next start waits; each call is one step of the series.
Duration next_backoff(const World& world, const std::string& service, ServiceLife& life);

/// "the next run follows", for the sentence that tells of an end.
std::string followed_by(Afterwards afterwards);

/// As a shell would: its code, 128 + signal, 127 not found, 126 not executable.
int exit_code_of(const std::optional<Exit>& exit);

}  // namespace plimsoll::core
