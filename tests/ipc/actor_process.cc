#include "ipc/actor_process.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <stdexcept>

extern char** environ;

namespace pwalk::ipc::testing {
namespace {

/// It lies beside the test program.
std::string actor_path() {
  return (std::filesystem::read_symlink("/proc/self/exe").parent_path() / "ipc_actor").string();
}

}  // namespace

Actor::Actor(std::vector<std::string> arguments, std::vector<std::string> through) {
  std::array<int, 2> pipe{};
  if (::pipe2(pipe.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe2");
  output_ = UniqueFd(pipe[0]);
  const UniqueFd input(pipe[1]);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, input.get(), STDOUT_FILENO);
  std::string path = actor_path();
  std::vector<char*> words;
  for (std::string& word : through) words.push_back(word.data());
  words.push_back(path.data());
  for (std::string& argument : arguments) words.push_back(argument.data());
  words.push_back(nullptr);
  const int failed = ::posix_spawnp(&pid_, words.front(), &actions, nullptr, words.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failed) throw std::runtime_error(std::string("cannot start ") + words.front());
}

Actor::~Actor() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  wait();
}

bool Actor::read_more(std::chrono::milliseconds timeout) {
  pollfd wait{output_.get(), POLLIN, 0};
  if (::poll(&wait, 1, int(timeout.count())) <= 0) return false;
  std::array<char, 4096> bytes{};
  const ssize_t got = ::read(output_.get(), bytes.data(), bytes.size());
  if (got <= 0) return false;
  buffer_.append(bytes.data(), std::size_t(got));
  return true;
}

std::optional<std::string> Actor::line() {
  std::size_t end = 0;
  while ((end = buffer_.find('\n')) == std::string::npos)
    if (!read_more(std::chrono::seconds(30))) return std::nullopt;
  std::string text = buffer_.substr(0, end);
  buffer_.erase(0, end + 1);
  return text;
}

std::string Actor::await(const std::string& word) {
  while (const auto text = line())
    if (text->starts_with(word)) return *text;
  return "";
}

std::string Actor::last(const std::string& word) {
  while (read_more(std::chrono::milliseconds(0))) {
  }
  std::string found;
  while (buffer_.find('\n') != std::string::npos)
    if (const auto text = line(); text->starts_with(word)) found = *text;
  return found;
}

void Actor::signal(int number) const {
  ::kill(pid_, number);
}

int Actor::wait() {
  int status = 0;
  ::waitpid(pid_, &status, 0);
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace pwalk::ipc::testing
