#include "formats/safetensors.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <numeric>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"
#include "doors/sim_file_system.h"

namespace cairn {
namespace {

std::string with_length(const std::string& header) {
  const std::uint64_t length = header.size();
  std::string text(sizeof length, '\0');
  std::memcpy(text.data(), &length, sizeof length);
  return text + header;
}

Result<SafetensorsHeader> parse(const std::string& header, std::int64_t data_bytes) {
  const std::string text = with_length(header);
  return parse_safetensors_header(std::as_bytes(std::span(text)),
                                  static_cast<std::int64_t>(text.size()) + data_bytes);
}

void expect_refused(const std::string& header, std::int64_t data_bytes, std::string_view reason) {
  const Result<SafetensorsHeader> result = parse(header, data_bytes);
  ASSERT_FALSE(result.ok()) << header;
  EXPECT_EQ(result.status().code(), StatusCode::kBadData);
  EXPECT_NE(result.status().message().find(reason), std::string::npos) << result.status().message();
}

std::string tensor(const std::string& name, const std::string& dtype, const std::string& shape,
                   const std::string& offsets) {
  return "\"" + name + "\":{\"dtype\":\"" + dtype + "\",\"shape\":" + shape + ",\"data_offsets\":" + offsets +
         "}";
}

TEST(SafetensorsHeader, GoodOnesAreSortedByName) {
  const auto header = parse("{\"__metadata__\":{\"format\":\"pt\"}," + tensor("b", "F32", "[2,3]", "[0,24]") +
                                "," + tensor("a", "BF16", "[]", "[24,26]") + "," +
                                tensor("empty", "I64", "[0,5]", "[26,26]") + "}   ",
                            26)
                          .value();
  ASSERT_EQ(header.tensors.size(), 3U);
  EXPECT_EQ(header.tensors[0].name, "a");
  EXPECT_EQ(header.metadata.at("format"), "pt");
  EXPECT_EQ(header.find("b")->shape, (Shape{2, 3}));
  EXPECT_EQ(header.find("b")->num_bytes, 24);
  EXPECT_EQ(header.find("a")->offset, header.find("b")->offset + 24);
  EXPECT_EQ(header.find("c"), nullptr);
  EXPECT_TRUE(parse("{}", 0).ok());
}

TEST(SafetensorsHeader, DamageIsNamed) {
  expect_refused("{" + tensor("a", "F32", "[2]", "[0,8]") + "," + tensor("b", "F32", "[2]", "[4,12]") + "}",
                 12, "overlap");
  expect_refused("{" + tensor("a", "F32", "[2]", "[0,8]") + "," + tensor("b", "F32", "[2]", "[0,8]") + "}", 8,
                 "overlap");
  expect_refused("{" + tensor("a", "F32", "[2]", "[0,8]") + "," + tensor("b", "F32", "[2]", "[12,20]") + "}",
                 20, "gap");
  expect_refused("{" + tensor("a", "F32", "[2]", "[4,12]") + "}", 12, "gap");
  expect_refused("{" + tensor("a", "F32", "[2]", "[0,8]") + "}", 9, "belong to nothing");
  expect_refused("{}", 1, "belong to nothing");
  expect_refused("{" + tensor("a", "F32", "[2]", "[0,8]") + "}", 7, "do not lie");
  expect_refused("{" + tensor("a", "F32", "[2]", "[8,0]") + "}", 8, "do not lie");
  expect_refused("{" + tensor("a", "F32", "[2]", "[-8,0]") + "}", 8, "do not lie");
  expect_refused("{" + tensor("a", "F32", "[2]", "[0,18446744073709551615]") + "}", 8, "do not lie");
  expect_refused("{" + tensor("a", "F32", "[3]", "[0,8]") + "}", 8, "does not take");
  expect_refused("{" + tensor("a", "F32", "[4611686018427387904,4]", "[0,8]") + "}", 8, "does not take");
  expect_refused("{" + tensor("a", "F32", "[4294967296,4294967296,2]", "[0,0]") + "}", 0, "does not take");
  expect_refused("{" + tensor("a", "F32", "[-1]", "[0,8]") + "}", 8, "no count");
  expect_refused("{" + tensor("a", "F32", "[2.0]", "[0,8]") + "}", 8, "no count");
  expect_refused("{" + tensor("a", "F32", "[1,1,1,1,1,2]", "[0,8]") + "}", 8, "6 dims");
  expect_refused("{" + tensor("a", "F8_E4M3", "[8]", "[0,8]") + "}", 8, "F8_E4M3");
  expect_refused("{" + tensor("a", "F32", "[2]", "[0,8,9]") + "}", 8, "two numbers");
  expect_refused("{" + tensor("a", "F32", "7", "[0,8]") + "}", 8, "not a list");
  expect_refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[2]}}", 8, "needs dtype");
  expect_refused("{\"a\":7}", 8, "needs dtype");
  expect_refused("{" + tensor("a", "F32", "[2]", "[0,8]") + "," + tensor("a", "F32", "[2]", "[8,16]") + "}",
                 16, "twice");
  expect_refused("{\"__metadata__\":{\"a\":1}}", 0, "not a string");
  expect_refused("{\"__metadata__\":[]}", 0, "not an object");
  expect_refused("[]", 0, "not an object");
  expect_refused("{\"a\":{\"b\":{\"c\":{}}}}", 0, "deeper");
  expect_refused("{\"\xFF\":1}", 0, "UTF-8");
  expect_refused("", 0, "header");
}

TEST(SafetensorsHeader, LengthsAreCheckedBeforeUse) {
  for (const std::uint64_t length : {std::uint64_t{3}, std::uint64_t{100'000'001}, std::uint64_t{1} << 63,
                                     ~std::uint64_t{0}, ~std::uint64_t{0} - 7}) {
    std::string text(10, ' ');
    std::memcpy(text.data(), &length, sizeof length);
    EXPECT_FALSE(parse_safetensors_header(std::as_bytes(std::span(text)), 10).ok()) << length;
  }
  EXPECT_FALSE(parse_safetensors_header({}, 0).ok());
  const std::string text = with_length("{}");  // the file claims more than the caller has read
  EXPECT_FALSE(parse_safetensors_header(std::as_bytes(std::span(text)).first(9), 10).ok());
}

class SafetensorsFiles : public testing::Test {
 protected:
  void write(const std::string& path, std::span<const SafetensorsEntry> entries,
             const std::map<std::string, std::string>& metadata = {}) {
    const auto file = std::move(files_.create(path)).value();
    const Status status = write_safetensors(*file, entries, metadata);
    ASSERT_TRUE(status.ok()) << status.message();
    ASSERT_TRUE(file->close().ok());
  }
  void write_raw(const std::string& path, std::string_view text) {
    const auto file = std::move(files_.create(path)).value();
    ASSERT_TRUE(file->append(std::as_bytes(std::span(text))).ok());
    ASSERT_TRUE(file->close().ok());
  }

  SimFileSystem files_{1};
};

TEST_F(SafetensorsFiles, LayoutIsThatOfThePackage) {
  std::vector<float> f = {1, 2};
  std::vector<std::int64_t> i = {7};
  std::vector<std::uint8_t> u = {9};
  std::vector<float> scalar = {3};
  const std::vector<SafetensorsEntry> entries = {
      {"z", make_view(std::span(f), {2}), {}},
      {"bytes", make_view(std::span(u), {1}), {}},
      {"half", make_view(std::span(f), {2, 1}), DType::kBFloat16},
      {"a", make_view(std::span(scalar), {}), {}},
      {"ids", make_view(std::span(i), {1}), {}},
  };
  write("x.safetensors", entries);
  const std::string text = files_.read_text("x.safetensors").value();
  std::uint64_t length = 0;
  std::memcpy(&length, text.data(), sizeof length);
  EXPECT_EQ(length % 8, 0U);
  const std::string expected =
      "{\"__metadata__\":{\"format\":\"pt\"},\"ids\":{\"dtype\":\"I64\",\"shape\":[1],\"data_offsets\":[0,8]}"
      ","
      "\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[8,12]},"
      "\"z\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[12,20]},"
      "\"half\":{\"dtype\":\"BF16\",\"shape\":[2,1],\"data_offsets\":[20,24]},"
      "\"bytes\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[24,25]}}";
  EXPECT_EQ(text.substr(8, expected.size()), expected);
  EXPECT_EQ(text.substr(8 + expected.size(), length - expected.size()),
            std::string(length - expected.size(), ' '));
  EXPECT_EQ(static_cast<std::int64_t>(text.size()), safetensors_file_size(entries, {}));
}

TEST_F(SafetensorsFiles, RoundTripKeepsEveryBit) {
  constexpr std::uint64_t kSeed = 11;
  RandomStream random(random_key(kSeed, "safetensors"), 0);
  std::vector<std::vector<std::uint16_t>> storage;
  std::vector<SafetensorsEntry> entries;
  storage.reserve(40);
  for (int i = 0; i < 40; ++i) {
    const Shape shape = {static_cast<std::int64_t>(random.next_below(5)),
                         static_cast<std::int64_t>(random.next_below(40))};
    std::vector<std::uint16_t> bits(static_cast<std::size_t>(shape.num_elements()));
    for (std::uint16_t& value : bits) {
      value = static_cast<std::uint16_t>(random.next_uint32());
    }
    storage.push_back(std::move(bits));
    entries.push_back(
        {"t" + std::to_string(random.next_uint32()), make_view(std::span(storage.back()), shape), {}});
  }
  write("x", entries, {{"step", "40"}});
  const SafetensorsFile file = std::move(SafetensorsFile::open(files_, "x")).value();
  EXPECT_EQ(file.metadata().at("step"), "40");
  EXPECT_EQ(file.tensors().size(), entries.size());
  for (const SafetensorsEntry& entry : entries) {
    std::vector<std::uint16_t> back(static_cast<std::size_t>(entry.view.num_elements()));
    ASSERT_TRUE(file.read(entry.name, make_view(std::span(back), entry.view.shape())).ok());
    const auto original = entry.view.span<std::uint16_t>();
    ASSERT_TRUE(std::equal(back.begin(), back.end(), original.begin())) << "seed " << kSeed;
  }
}

TEST_F(SafetensorsFiles, MismatchesAreRefusedByName) {
  std::vector<float> values = {1, 2, 3, 4};
  const std::vector<SafetensorsEntry> entries = {{"w", make_view(std::span(values), {2, 2}), {}}};
  write("x", entries);
  const SafetensorsFile file = std::move(SafetensorsFile::open(files_, "x")).value();
  std::vector<std::int32_t> ints(4);
  EXPECT_EQ(file.read("w", make_view(std::span(values), {4})).code(), StatusCode::kBadData);
  EXPECT_NE(file.read("w", make_view(std::span(ints), {2, 2})).message().find("I32"), std::string::npos);
  EXPECT_NE(file.read("v", make_view(std::span(values), {2, 2})).message().find("'v'"), std::string::npos);
}

TEST_F(SafetensorsFiles, ConversionToFloat32IsExactOrRefused) {
  const std::string data(
      "\x00\x3C\x00\xC0\x01\x00\x00\x7C"  // float16: 1, -2, 2^-24, inf
      "\x80\x3F\x00\x40\x00\x00\x80\xFF"  // bfloat16: 1, 2, 0, -inf
      "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF"  // int64: -1
      "\x01\x00\x00\x01\x00\x00\x00\x00"  // int64: 2^24 + 1
      "\x80",                             // int8: -128
      33);
  const std::string header =
      "{" + tensor("f16", "F16", "[4]", "[0,8]") + "," + tensor("bf16", "BF16", "[4]", "[8,16]") + "," +
      tensor("small", "I64", "[1]", "[16,24]") + "," + tensor("large", "I64", "[1]", "[24,32]") + "," +
      tensor("byte", "I8", "[1]", "[32,33]") + "}";
  write_raw("x", with_length(header) + data);
  const SafetensorsFile file = std::move(SafetensorsFile::open(files_, "x")).value();
  std::vector<float> out(4);
  ASSERT_TRUE(file.read_as_float32("f16", make_view(std::span(out), {4})).ok());
  EXPECT_EQ(out, (std::vector<float>{1, -2, 0x1p-24F, INFINITY}));
  ASSERT_TRUE(file.read_as_float32("bf16", make_view(std::span(out), {4})).ok());
  EXPECT_EQ(out, (std::vector<float>{1, 2, 0, -INFINITY}));
  std::vector<float> one(1);
  ASSERT_TRUE(file.read_as_float32("small", make_view(std::span(one), {1})).ok());
  EXPECT_EQ(one[0], -1);
  ASSERT_TRUE(file.read_as_float32("byte", make_view(std::span(one), {1})).ok());
  EXPECT_EQ(one[0], -128);
  EXPECT_NE(file.read_as_float32("large", make_view(std::span(one), {1})).message().find("not exact"),
            std::string::npos);
}

// More elements than the buffer holds, of every width.
TEST_F(SafetensorsFiles, LongTensorsAreConvertedInParts) {
  std::vector<float> values(100'003);
  fill_normal(values, random_key(2, "long"), 0, 0, 0, 1);
  std::vector<double> wide(values.begin(), values.end());
  const std::vector<SafetensorsEntry> entries = {
      {"b", make_view(std::span(values), {100'003}), DType::kBFloat16},
      {"d", make_view(std::span(wide), {100'003}), {}},
      {"f", make_view(std::span(values), {100'003}), {}},
  };
  write("x", entries);
  const SafetensorsFile file = std::move(SafetensorsFile::open(files_, "x")).value();
  std::vector<float> out(values.size());
  for (const char* name : {"d", "f"}) {
    ASSERT_TRUE(file.read_as_float32(name, make_view(std::span(out), {100'003})).ok());
    ASSERT_EQ(out, values) << name;
  }
  ASSERT_TRUE(file.read_as_float32("b", make_view(std::span(out), {100'003})).ok());
  for (std::size_t i = 0; i < out.size(); ++i) {
    ASSERT_EQ(out[i], bfloat16_to_float(float_to_bfloat16(values[i]))) << i;
  }
}

TEST_F(SafetensorsFiles, EveryTruncationIsRefused) {
  std::vector<float> values(7);
  std::iota(values.begin(), values.end(), 0.0F);
  const std::vector<SafetensorsEntry> entries = {
      {"a", make_view(std::span(values), {7}), {}},
      {"b", make_view(std::span(values), {7, 1}), DType::kBFloat16}};
  write("x", entries);
  const auto size = static_cast<std::int64_t>(files_.read_text("x").value().size());
  ASSERT_TRUE(SafetensorsFile::open(files_, "x").ok());
  for (std::int64_t end = size - 1; end >= 0; --end) {
    files_.truncate("x", end);
    const auto file = SafetensorsFile::open(files_, "x");
    ASSERT_EQ(file.status().code(), StatusCode::kBadData) << end;
    ASSERT_EQ(file.status().message().rfind("x: ", 0), 0U);
  }
}

TEST_F(SafetensorsFiles, WriterRefusesWhatCannotBeStored) {
  std::vector<float> values(1);
  std::vector<std::int32_t> ints(1);
  const auto file = std::move(files_.create("x")).value();
  const std::vector<SafetensorsEntry> twice = {{"a", make_view(std::span(values), {1}), {}},
                                               {"a", make_view(std::span(values), {1}), {}}};
  EXPECT_EQ(write_safetensors(*file, twice, {}).code(), StatusCode::kBug);
  const std::vector<SafetensorsEntry> wrong = {{"a", make_view(std::span(ints), {1}), DType::kBFloat16}};
  EXPECT_EQ(write_safetensors(*file, wrong, {}).code(), StatusCode::kBug);
  const std::vector<SafetensorsEntry> good = {{"a", make_view(std::span(values), {1}), {}}};
  files_.set_free_bytes(20);
  EXPECT_EQ(write_safetensors(*file, good, {}).code(), StatusCode::kCannotWrite);
}

TEST(Float16, AllValuesConvertExactly) {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto exponent = static_cast<int>((bits >> 10) & 31);
    const auto mantissa = static_cast<int>(bits & 1023);
    const float got = float16_to_float(static_cast<std::uint16_t>(bits));
    ASSERT_EQ(std::signbit(got), bits >= 0x8000);
    if (exponent == 31) {
      ASSERT_TRUE(mantissa == 0 ? std::isinf(got) : std::isnan(got));
      continue;
    }
    const double exact =
        exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024 + mantissa, exponent - 25);
    ASSERT_EQ(std::abs(got), exact) << bits;
  }
}

}  // namespace
}  // namespace cairn
