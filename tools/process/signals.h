#pragma once

/// Signals as flags that loops look at; nothing happens in the handlers themselves.
namespace pwalk::tools {

/// Counts SIGINT, SIGTERM and SIGHUP, and notes SIGUSR1; ignores SIGPIPE. System
/// calls that wait return EINTR. A SIGHUP that was ignored (nohup) stays ignored.
/// Once per process, before threads.
void watch_signals();

/// A mapped image that somebody truncates would end the process with SIGBUS: with
/// this it ends with a line and exit code 3. Once per process.
void guard_against_truncation();

/// How often the process was told to stop. Any thread.
int stop_requests();

/// True once after each SIGUSR1 (several at once count as one). Any thread.
bool take_progress_request();

}  // namespace pwalk::tools
