#include "ctl/verbs.hpp"

namespace plimsoll::ctl {

std::span<const Verb> verbs() {
  static constexpr Verb all[] = {
      {"status", takes_service, "Whether all is well, and why not; each service with its engines", run_status},
      {"tree", takes_service, "The processes of a service under their parents, with role and memory", run_tree},
      {"start", acts | takes_service | takes_force, "Start a service, and what it requires", run_start},
      {"stop", acts | takes_service, "Stop a service, after what requires it", run_stop},
      {"restart", acts | takes_service, "Stop a service gracefully and start it again", run_restart},
      {"reconnect", acts | takes_service | takes_rule | takes_pid, "Have engines replaced, as each one's rule says",
       run_reconnect},
      {"do", acts | takes_hook | takes_service | takes_pid, "Call a hook of a service", run_do},
      {"hold", acts | takes_for | takes_except, "Suspend all interventions of the daemon's own judgement", run_hold},
      {"release", acts, "End a hold", run_release},
      {"events", takes_service | takes_follow | takes_since | takes_count, "What happened, oldest first", run_events},
      {"why", takes_service | takes_count, "The last interventions: cause, rungs, what it freed, how long it took",
       run_why},
      {"reload", acts | takes_dry_run, "Read the configuration again; a bad one changes nothing", run_reload},
      {"check", takes_file, "Check a configuration file; needs no daemon", run_check},
      {"ping", takes_nothing, "Whether the daemon answers", run_ping},
      {"version", takes_nothing, "Versions of this program and of the daemon, if one answers", run_version},
  };
  return all;
}

}  // namespace plimsoll::ctl
