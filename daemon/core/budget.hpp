// One budget per service for all interventions, whatever triggered them (law 7), over a sliding window.
#pragma once

#include "daemon/core/turn.hpp"

namespace plimsoll::core {

/// How many acts are spent in the window that ends now.
int budget_spent(const ServiceLife& life, Steady now);
bool budget_left(Turn& turn, const std::string& service);
void spend(Turn& turn, const std::string& service);
/// The act that was spent at that instant did not come about.
void unspend(Turn& turn, const std::string& service, Steady at);
/// When the oldest act leaves the window.
Steady budget_back(const ServiceLife& life);

}  // namespace plimsoll::core
