// The life of a service. docs/architecture.md has this table with the reasons; a test compares it with the code.
//
//   state     | what is true                                 | leaves by
//   stopped   | nothing of it runs                           | wanted, requirements ready, no leftovers → starting
//   starting  | waits, is launched, or is not ready yet      | ready → ready; not in time → late; ended → stopping;
//             |                                              | its launch failed → backoff or failed
//   ready     | it serves; a task is done                    | asked to stop, main process ended → stopping
//   late      | not ready in time, and left alone            | ready → ready; else as ready
//   stopping  | its processes are being ended                | empty → stopped starting backoff failed, a task ready
//   stuck     | something outlived SIGKILL by 10 s           | empty → as stopping
//   backoff   | waits to start again                         | its deadline → starting; asked to stop → stopped
//   failed    | gave up, or its policy is to stay down       | an operator's start, a changed command → starting
//
// A run ends in one way only: stopping, whoever began it, so that "the tree is empty" is asked in one place.
#pragma once

#include "daemon/core/turn.hpp"

namespace plimsoll::core {

void set_state(Turn& turn, const std::string& service, ServiceState state, std::string why);

void main_ended(Turn& turn, Process& main);

/// Begins to end the run that is up; `afterwards` is what follows. Nothing happens if it is ending already, but a later
/// wish wins: what follows is replaced.
void end_run(Turn& turn, const std::string& service, StopCause cause, Afterwards afterwards, const std::string& why);
/// end_run() for a deliberate restart, of our own judgement or an operator's.
void restart_run(Turn& turn, const std::string& service, StopCause cause, Afterwards afterwards);

/// Ends a run that did not do what it had to in time: its policy decides what follows.
void end_as_failed(Turn& turn, const std::string& service, const std::string& why);
/// In place of that while acts are withheld. Said once; it ends when they are not any more, if it is still overdue.
void withhold_end(Turn& turn, const std::string& service, const std::string& why);

/// Law 6: the budget is spent, and a hard line is still acted on: the run ends and the next one waits for its backoff.
void restart_with_backoff(Turn& turn, const std::string& service, const std::string& why);
/// A reload gave it another command: what runs is replaced, what failed is tried again.
void replace_run(Turn& turn, const std::string& service);

/// What follows when nothing of a run is left, or a launch failed: the next state, and the daemon's end if it was
/// essential.
void after_the_end(Turn& turn, const std::string& service, Afterwards afterwards);

/// The daemon ends when everything is stopped: nothing is wanted any more.
void stop_everything(Turn& turn);

/// 81 when something is stuck; an essential service's or the entrypoint's own code; 0 as asked.
int quit_code(const World& world);

/// Moves every service on: starts what is wanted and may start, escalates what stops, ends backoffs.
void settle_services(Turn& turn);
Steady service_deadline(const World& world, const ServiceLife& life);

/// True once nothing of any service runs or can be ended.
bool all_stopped(const World& world);

}  // namespace plimsoll::core
