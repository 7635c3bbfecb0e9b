// The pages of the program's own file that are mapped into this process: its text and constants. What ran once (reading
// the command line and a configuration) stays mapped, and so counted and kept in memory, for as long as the process
// lives.
#pragma once

namespace plimsoll::sys {

/// Gives all of them back that were not written to; what is needed still comes back from the page cache, sixteen pages
/// at a time, a microsecond each time. They stay in the page cache, where the kernel takes them first when it needs
/// memory.
void give_back_program_pages();

}  // namespace plimsoll::sys
