#pragma once

#include <Python.h>

#include <chrono>
#include <exception>
#include <utility>

/// Waiting without the GIL, and staying interruptible meanwhile.
namespace pwalk::bindings {

/// The longest a wait may go without looking at signals.
inline constexpr std::chrono::milliseconds kWaitSlice{100};

/// Runs the handlers of pending signals (PyErr_CheckSignals). True if one raised: the exception is
/// then set in this thread. Takes the GIL; call it with or without. Always false outside of the main
/// thread, where Python handles no signals.
bool signals_raised();

/// While one lives in this thread, signals_raised() runs no handler and sets no exception, since the
/// caller is no Python code that could raise it (an engine that reads an Arrow stream): it only tells
/// of Ctrl-C, which stays pending.
class ForeignCode {
 public:
  ForeignCode();
  ForeignCode(const ForeignCode&) = delete;
  ~ForeignCode();

 private:
  bool before_;
};

/// For long work that never waits: asks every so many steps whether a signal's handler raised.
class InterruptCheck {
 public:
  /// With or without the GIL. Stays true once it is.
  bool due() {
    if (++steps_ % kSteps == 0 && !raised_) raised_ = signals_raised();
    return raised_;
  }
  /// With the GIL: throws the handler's exception if due() was true.
  void raise_if_any() const;

 private:
  static constexpr unsigned kSteps = 1 << 14;
  unsigned steps_ = 0;
  bool raised_ = false;
};

/// Calls `work` with the GIL released; needs the GIL. `work` must not touch Python objects.
///
/// No scope guard on purpose: at interpreter shutdown PyEval_RestoreThread ends a daemon thread by
/// unwinding its stack (pthread_exit(3)), and out of a destructor that would be std::terminate.
template <class Work>
auto without_gil(Work&& work) {
  PyThreadState* const thread = PyEval_SaveThread();
  try {
    auto result = work();
    PyEval_RestoreThread(thread);
    return result;
  } catch (const std::exception&) {  // and not `...`, which would also catch that unwinding
    PyEval_RestoreThread(thread);
    throw;
  }
}

}  // namespace pwalk::bindings
