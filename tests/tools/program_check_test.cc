#include "run/program_check.h"

#include <elf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "ipc/image_tree.h"

namespace pwalk::run {
namespace {

using ::testing::HasSubstr;
using ::testing::Optional;
using ::testing::StartsWith;

class ProgramCheckTest : public ::testing::Test {
 protected:
  ~ProgramCheckTest() override {
    if (path_) ::setenv("PATH", path_->c_str(), 1);
  }
  void search_in(const std::string& list) {
    if (const char* before = std::getenv("PATH"); before && !path_) path_ = before;
    ::setenv("PATH", list.c_str(), 1);
  }
  std::string write(const std::string& name, const std::string& bytes, ::mode_t mode = 0755) {
    const std::string file = scratch_.file(name);
    std::ofstream(file, std::ios::binary) << bytes;
    EXPECT_EQ(::chmod(file.c_str(), mode), 0);
    return file;
  }
  /// The start of an ELF file whose only segment asks for this loader; "" for none.
  static std::string elf(const std::string& loader, unsigned char word_size = ELFCLASS64) {
    Elf64_Ehdr header{};
    std::memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = word_size;
    header.e_phoff = sizeof header;
    header.e_phentsize = sizeof(Elf64_Phdr);
    header.e_phnum = 1;
    Elf64_Phdr segment{};
    segment.p_type = loader.empty() ? PT_LOAD : PT_INTERP;
    segment.p_offset = sizeof header + sizeof segment;
    segment.p_filesz = loader.size() + 1;
    std::string bytes(reinterpret_cast<const char*>(&header), sizeof header);
    bytes.append(reinterpret_cast<const char*>(&segment), sizeof segment);
    return bytes + loader + '\0';
  }

  const image::testing::ScratchDirectory scratch_;
  std::optional<std::string> path_;
};

TEST_F(ProgramCheckTest, finds_what_execvp_would_start) {
  std::filesystem::create_directories(scratch_.file("first/tool"));  // a directory is no program
  std::filesystem::create_directory(scratch_.file("second"));
  write("first/plain", "text", 0644);
  write("second/plain", "text");
  write("second/tool", "text");
  search_in(scratch_.file("nowhere") + ":" + scratch_.file("first") + ":" + scratch_.file("second"));
  EXPECT_THAT(find_program("tool"), Optional(scratch_.file("second/tool")));
  EXPECT_THAT(find_program("plain"), Optional(scratch_.file("second/plain")));
  EXPECT_EQ(find_program("nothing"), std::nullopt);
  EXPECT_EQ(find_program(""), std::nullopt);
  EXPECT_THAT(find_program("./as/it/is"), Optional(std::string("./as/it/is")));
}

TEST_F(ProgramCheckTest, an_empty_element_of_the_search_path_is_the_working_directory) {
  write("here", "text");
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(scratch_.path());
  search_in("/nowhere:");
  EXPECT_THAT(find_program("here"), Optional(std::string("here")));
  std::filesystem::current_path(before);
}

TEST_F(ProgramCheckTest, this_program_and_what_it_interprets_can_be_reached) {
  const std::string self = std::filesystem::read_symlink("/proc/self/exe");
  EXPECT_EQ(why_not_preloadable(self), std::nullopt);
  EXPECT_EQ(why_not_preloadable(write("script", "#! " + self + " -x\n")), std::nullopt);
  EXPECT_EQ(why_not_preloadable(write("setuid script", "#!" + self + "\n", 04755)), std::nullopt);
}

TEST_F(ProgramCheckTest, says_why_a_program_cannot_be_reached) {
  EXPECT_THAT(why_not_preloadable(write("static", elf(""))), Optional(std::string("is statically linked")));
  EXPECT_THAT(why_not_preloadable(write("narrow", elf("", ELFCLASS32))), Optional(std::string("is made for another machine")));
  EXPECT_THAT(why_not_preloadable(write("musl", elf("/lib/ld-other.so"))), Optional(StartsWith("is loaded by /lib/ld-other.so, not by ")));
  for (const ::mode_t mode : {04755, 02755})
    EXPECT_THAT(why_not_preloadable(write("privileged", elf(""), mode)), Optional(StartsWith("runs with privileges of its own")));
}

TEST_F(ProgramCheckTest, a_script_is_as_good_as_its_interpreter) {
  const std::string interpreter = write("static", elf(""));
  const std::string inner = write("inner", "#!" + interpreter + "\n");
  EXPECT_THAT(why_not_preloadable(inner), Optional("is run by '" + interpreter + "', which is statically linked"));
  EXPECT_THAT(why_not_preloadable(write("outer", "#!\t" + inner + " -a b\n")), Optional(HasSubstr("statically linked")));
}

/// The kernel says itself what is wrong with these.
TEST_F(ProgramCheckTest, what_is_no_program_is_left_to_the_kernel) {
  const std::string loop = scratch_.file("loop");
  write("loop", "#!" + loop + "\n");
  write("cut", elf("/lib/ld.so").substr(0, 70));
  for (const std::string& file : {loop, scratch_.file("cut"), scratch_.path(), scratch_.file("nothing"), write("text", "text\n"),
                                  write("empty", ""), write("no interpreter", "#!\n"), write("gone", "#!/nowhere/sh\n")})
    EXPECT_EQ(why_not_preloadable(file), std::nullopt) << file;
}

}  // namespace
}  // namespace pwalk::run
