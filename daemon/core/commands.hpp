// What operators ask for. A command is answered once: refused at once with the reason, or when its outcome is known, or
// when its deadline has passed.
#pragma once

#include "daemon/core/turn.hpp"

namespace plimsoll::core {

void take_command(Turn& turn, const CommandGiven& command);
void take_command_hook(Turn& turn, const HookAnswered& answer);
void settle_commands(Turn& turn);
Steady commands_deadline(const World& world);

}  // namespace plimsoll::core
