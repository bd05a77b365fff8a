#include "checkpoint/manifest.h"

#include <string>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/random.h"

namespace cairn::checkpoint {
namespace {

using ::testing::HasSubstr;

Manifest example() {
  Manifest manifest;
  manifest.run_id = "00ff00ff00ff00ff";
  manifest.step = 40;
  manifest.attempt = 3;
  manifest.saved_at_unix_s = 1'800'000'000;
  manifest.master = "training/master";
  manifest.tensors_hash = xxh3_128("tensors");
  manifest.moments = {"exp_avg", "exp_avg_sq"};
  manifest.files = {{"config.json", 12, xxh3_128("a")}, {"training/state.json", 0, xxh3_128("b")}};
  return manifest;
}

TEST(Manifest, SurvivesTheRoundTrip) {
  const std::string text = manifest_to_json(example());
  const auto manifest = manifest_from_json(text);
  ASSERT_TRUE(manifest.ok()) << manifest.status().message();
  EXPECT_TRUE(*manifest == example());
  EXPECT_EQ(manifest_to_json(*manifest), text);
}

TEST(Manifest, EveryBitFlipIsFound) {
  const std::string text = manifest_to_json(example());
  for (std::size_t i = 0; i < text.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string damaged = text;
      damaged[i] = static_cast<char>(static_cast<unsigned char>(damaged[i]) ^ (1U << bit));
      const auto manifest = manifest_from_json(damaged);
      EXPECT_EQ(manifest.status().code(), StatusCode::kBadData) << "byte " << i << ", bit " << bit;
    }
  }
}

TEST(Manifest, EveryTruncationAndAnyPaddingIsFound) {
  const std::string text = manifest_to_json(example());
  for (std::size_t size = 0; size < text.size(); ++size) {
    EXPECT_FALSE(manifest_from_json(std::string_view(text).substr(0, size)).ok()) << size;
  }
  EXPECT_FALSE(manifest_from_json(text + " ").ok());
}

TEST(Manifest, NamesThatLeadOutOfTheFolderAreRefused) {
  for (const char* name : {"../other/model.safetensors", "/etc/passwd", "a//b", "", ".", "training/..",
                           "a\\b", "manifest.json", "config.json"}) {
    Manifest manifest = example();
    manifest.files.push_back({name, 1, {}});
    const auto parsed = manifest_from_json(manifest_to_json(manifest));
    ASSERT_FALSE(parsed.ok()) << name;
    EXPECT_THAT(parsed.status().message(), HasSubstr("files[2].name"));
  }
}

// A text with a trailer that fits it, whatever it says.
std::string with_trailer(const std::string& edited, const std::string& original) {
  // The checksum of the edit is what the error-free writer would state: take it from a manifest made by hand.
  Hasher hasher;
  const std::size_t trailer = original.rfind(",\n  \"manifest_xxh3_128\"");
  const std::size_t trailer_bytes = original.size() - trailer;
  const std::string body = edited.substr(0, edited.size() - trailer_bytes);
  hasher.update_uint64(kManifestName.size());
  hasher.update(kManifestName);
  hasher.update(body);
  return body + fmt::format(",\n  \"manifest_xxh3_128\": \"{}\"\n}}\n", hasher.digest().to_hex());
}

TEST(Manifest, FaultsAreListedTogetherAndNewerFormatsRefused) {
  const std::string text = manifest_to_json(example());
  std::string edited = text;
  const auto replace = [&](const std::string& from, const std::string& to) {
    ASSERT_NE(edited.find(from), std::string::npos) << from;
    edited.replace(edited.find(from), from.size(), to);
  };
  replace("\"step\": 40", "\"step\": -1");
  replace("\"attempt\"", "\"atempt\"");
  replace("\"bytes\": 12", "\"bytes\": 1.5");
  replace("\"master\": \"training/master\"", "\"master\": \"elsewhere\"");
  const auto faults = manifest_from_json(with_trailer(edited, text));
  ASSERT_FALSE(faults.ok());
  for (const char* part : {"step", "attempt", "atempt", "files[0].bytes", "master"}) {
    EXPECT_THAT(faults.status().message(), HasSubstr(part));
  }
  edited = text;
  replace("\"version\": 1", "\"version\": 2");
  const auto newer = manifest_from_json(with_trailer(edited, text));
  ASSERT_FALSE(newer.ok());
  EXPECT_THAT(newer.status().message(), HasSubstr("newer than this program"));
}

TEST(Manifest, FileHashKnowsRunStepAndName) {
  const Hash128 hash = file_hasher("run", 12, "ab").digest();
  EXPECT_FALSE(file_hasher("ru", 12, "nab").digest() == hash);
  EXPECT_FALSE(file_hasher("run", 13, "ab").digest() == hash);
  EXPECT_FALSE(file_hasher("run", 12, "a").digest() == hash);
  EXPECT_EQ(file_hasher("run", 12, "ab").digest(), hash);
}

}  // namespace
}  // namespace cairn::checkpoint
