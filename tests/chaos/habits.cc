#include "chaos/habits.h"

#include "chaos/round_board.h"

namespace pwalk::ipc::chaos {

using namespace std::chrono_literals;

Habits habits_of(const RoundPlan& plan, unsigned number, std::mt19937_64& random) {
  Habits habits;
  habits.hold = unsigned(random() % 4);
  habits.pause_us = random() % 3 == 0 ? unsigned(random() % 400) : 0;
  habits.leave_after = plan.drain || random() % 4 == 0 ? random() % 30 : ~std::uint64_t{0};
  habits.patience_for_scan = number < plan.consumers + plan.members ? 200ms : 10ms;
  habits.patience = plan.drain ? 20ms : 15s;
  return habits;
}

}  // namespace pwalk::ipc::chaos
