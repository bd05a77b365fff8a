#include "base/environment.h"

#include <map>

#include <gtest/gtest.h>

namespace cairn {
namespace {

Environment from(const std::map<std::string, std::string>& variables) {
  Environment environment;
  read_environment_variables(
      [&](const std::string& name) -> std::optional<std::string> {
        const auto at = variables.find(name);
        return at == variables.end() ? std::nullopt : std::optional(at->second);
      },
      environment);
  return environment;
}

TEST(Environment, NoColorMeansSetAndNotEmpty) {
  EXPECT_FALSE(from({}).no_color);
  EXPECT_FALSE(from({{"NO_COLOR", ""}}).no_color);
  EXPECT_TRUE(from({{"NO_COLOR", "0"}}).no_color);
  EXPECT_TRUE(from({{"TERM", "dumb"}}).no_color);
}

TEST(Environment, FirstLocaleVariableThatIsSetDecides) {
  EXPECT_TRUE(from({{"LANG", "de_CH.UTF-8"}}).is_utf8);
  EXPECT_FALSE(from({{"LC_ALL", "C"}, {"LANG", "de_CH.UTF-8"}}).is_utf8);
  EXPECT_TRUE(from({{"LC_ALL", ""}, {"LC_CTYPE", "C.utf8"}}).is_utf8);
}

TEST(Environment, SlurmGivesRanks) {
  const Environment environment =
      from({{"SLURM_PROCID", "5"}, {"SLURM_NTASKS", "8"}, {"SLURM_LOCALID", "1"}, {"SLURM_JOB_ID", "77"}});
  EXPECT_EQ(environment.launcher, "slurm");
  EXPECT_EQ(environment.global_rank, 5);
  EXPECT_EQ(environment.world_size, 8);
  EXPECT_EQ(environment.local_rank, 1);
  EXPECT_EQ(environment.job_id, "77");
}

TEST(Environment, MpirunInsideSlurmWins) {
  const Environment environment = from({{"SLURM_PROCID", "0"},
                                        {"SLURM_NTASKS", "1"},
                                        {"OMPI_COMM_WORLD_RANK", "3"},
                                        {"OMPI_COMM_WORLD_SIZE", "4"}});
  EXPECT_EQ(environment.launcher, "openmpi");
  EXPECT_EQ(environment.global_rank, 3);
  EXPECT_FALSE(environment.local_rank.has_value());
}

TEST(Environment, NonsenseIsIgnored) {
  EXPECT_EQ(from({{"SLURM_PROCID", "9"}, {"SLURM_NTASKS", "8"}}).launcher, "");
  EXPECT_EQ(from({{"SLURM_PROCID", "x"}, {"SLURM_NTASKS", "8"}}).launcher, "");
  EXPECT_EQ(from({{"COLUMNS", "-3"}}).terminal_width, 80);
  EXPECT_EQ(from({{"COLUMNS", "132"}}).terminal_width, 132);
}

TEST(Environment, ThisProcessHasAHostAndANumber) {
  const Environment environment = read_environment();
  EXPECT_GT(environment.process_id, 0);
  EXPECT_FALSE(environment.host.empty());
}

}  // namespace
}  // namespace cairn
