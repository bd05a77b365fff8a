#!/usr/bin/env python3
"""The tests of house_rules.py: each rule must find its bad snippet and leave the good one alone."""

import os
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import house_rules  # noqa: E402

ARCHITECTURE = """# A
## Layers
| Layer | Modules | x |
| ---: | --- | --- |
| 10 | `apps` | x |
| 5 | `nn`, `data` | x |
| 4 | `ops` | x |
| 1 | `base`, `doors` | x |

`doors` may include `base`.
"""

GOOD_TREE = {
    "ARCHITECTURE.md": ARCHITECTURE,
    "src/ops/README.md": "# ops\n",
    "src/ops/CMakeLists.txt": "cairn_module(ops SOURCES gemm.cc)\ncairn_test(ops gemm_test.cc)\n",
    "src/ops/gemm.h": "#pragma once\nint f();\n",
    "src/ops/gemm.cc": '#include "ops/gemm.h"\n\nint f() {\n  return 1;\n}\n',
    "src/ops/gemm_test.cc": '#include "ops/gemm.h"\n',
}


def findings(**changes):
    """Findings of the good tree with files replaced, added or (None) removed; keys use __ for / and _dot_ for ."""
    tree = dict(GOOD_TREE)
    for key, value in changes.items():
        path = key.replace("__", "/").replace("_dot_", ".")
        if value is None:
            tree.pop(path)
        else:
            tree[path] = value
    with tempfile.TemporaryDirectory() as root:
        for path, text in tree.items():
            os.makedirs(os.path.dirname(os.path.join(root, path)) or root, exist_ok=True)
            with open(os.path.join(root, path), "w", encoding="utf-8") as file:
                file.write(text)
        return house_rules.check_tree(root, sorted(tree))


def rules(**changes):
    return sorted({rule for _, _, rule, _ in findings(**changes)})


GEMM_CC = '#include "ops/gemm.h"\n'


class HouseRules(unittest.TestCase):
    def test_good_tree_is_clean(self):
        self.assertEqual(findings(), [])

    def with_body(self, body, path="src__ops__gemm_dot_cc", head=GEMM_CC):
        return rules(**{path: head + body})

    def test_layers(self):
        nn = {"src__nn__README_dot_md": "# nn\n", "src__nn__CMakeLists_dot_txt": "a(b.cc b_test.cc)\n",
              "src__nn__b_dot_h": "#pragma once\n", "src__nn__b_test_dot_cc": '#include "nn/b.h"\n'}
        self.assertEqual(rules(**nn, src__nn__b_dot_cc='#include "nn/b.h"\n#include "ops/gemm.h"\n'), [])
        self.assertEqual(rules(**nn, src__nn__b_dot_cc='#include "nn/b.h"\n#include "data/x.h"\n'), ["layers"])
        self.assertEqual(rules(**nn, src__nn__b_dot_cc="\n", src__ops__gemm_dot_cc=GEMM_CC + '#include "nn/b.h"\n'),
                         ["layers"])
        self.assertEqual(rules(**nn, src__nn__b_dot_cc='#include "gemm.h"\n'), ["layers"])
        self.assertEqual(rules(**nn, src__nn__b_dot_cc='#include "doors/x.h"\n'), [])

    def test_doors_may_include_base_and_not_the_other_way(self):
        doors = {"src__doors__README_dot_md": "#\n", "src__doors__CMakeLists_dot_txt": "a(x.cc x_test.cc)\n",
                 "src__doors__x_test_dot_cc": '#include "doors/x.h"\n', "src__doors__x_dot_h": "#pragma once\n"}
        base = {"src__base__README_dot_md": "#\n", "src__base__CMakeLists_dot_txt": "a(y.cc y_test.cc)\n",
                "src__base__y_test_dot_cc": '#include "base/y.h"\n', "src__base__y_dot_h": "#pragma once\n"}
        self.assertEqual(rules(**doors, **base, src__doors__x_dot_cc='#include "base/y.h"\n', src__base__y_dot_cc="\n"), [])
        self.assertEqual(rules(**doors, **base, src__doors__x_dot_cc="\n", src__base__y_dot_cc='#include "doors/x.h"\n'),
                         ["layers"])

    def test_stated_edges_never_lead_up_or_both_ways(self):
        self.assertEqual(rules(ARCHITECTURE_dot_md=ARCHITECTURE + "`base` may include `doors`.\n"), ["layers"])
        nn = {"src__nn__README_dot_md": "# nn\n", "src__nn__CMakeLists_dot_txt": "a(b.cc b_test.cc)\n",
              "src__nn__b_dot_h": "#pragma once\n", "src__nn__b_test_dot_cc": '#include "nn/b.h"\n',
              "src__nn__b_dot_cc": "\n", "src__ops__gemm_dot_cc": GEMM_CC + '#include "nn/b.h"\n'}
        self.assertEqual(rules(**nn, ARCHITECTURE_dot_md=ARCHITECTURE + "`ops` may include `nn`.\n"), ["layers"])

    def test_unknown_module(self):
        self.assertIn("layers", rules(src__new__a_dot_cc="\n", src__new__CMakeLists_dot_txt="x(a.cc)\n"))

    def test_missing_layer_table(self):
        self.assertIn("layers", rules(ARCHITECTURE_dot_md="# A\n"))

    def test_banned_calls(self):
        for bad in ("throw 1;", "exit(1);", "std::exit(2);", "std::abort();", "assert(x);", 'getenv("A");',
                    "std::cout << 1;", 'printf("x");', "using namespace std;", "sleep(1);", "usleep(1);", "rand();",
                    "std::this_thread::sleep_for(x);", 'std::fopen("a", "r");', "std::filesystem::path p;",
                    "std::ofstream f;", "cudaMalloc(&p, 1);", "goto end;", "thread_local int x;", 'system("ls");',
                    "std::random_device d;", "auto t = std::chrono::steady_clock::now();", 'fmt::print("x");'):
            self.assertEqual(self.with_body(f"int g() {{\n  {bad}\n}}\n"), ["banned"], bad)

    def test_names_that_only_look_like_banned_calls(self):
        for good in ("static_assert(x);", "on_exit(1);", "app.exit(e);", "strand(1);", '"throw exit(1)";',
                     "// throw exit(1)", "/* assert(x)\n */", "snprintf(b, n, f);", "file_system(x);", "my_assert(x);",
                     "auto c = 'a'; g(\"printf(\");", 'R"(throw abort( )";', "x = 1'000'000; y = '\\'';"):
            self.assertEqual(self.with_body(f"int g() {{\n  {good}\n}}\n"), [], good)

    def test_doors_may_call_what_others_may_not(self):
        doors = {"src__doors__README_dot_md": "#\n", "src__doors__CMakeLists_dot_txt": "a(x.cc)\n"}
        self.assertEqual(rules(**doors, src__doors__x_dot_cc='int f() {\n  std::getenv("A");\n}\n'), [])
        self.assertEqual(rules(**doors, src__doors__x_dot_cc="int f() {\n  throw 1;\n}\n"), ["banned"])

    def test_placed_headers(self):
        for header in ("cuda_runtime.h", "nccl.h", "mpi.h", "CLI/CLI.hpp", "fstream", "filesystem", "iostream",
                       "cublasLt.h", "toml++/toml.h"):
            self.assertEqual(self.with_body(f"#include <{header}>\n"), ["placed-header"], header)
        for header in ("vector", "fmt/format.h", "cmath"):
            self.assertEqual(self.with_body(f"#include <{header}>\n"), [], header)
        self.assertEqual(rules(src__ops__gemm_cuda_dot_cu="#include <cuda_runtime.h>\n",
                               src__ops__CMakeLists_dot_txt="a(gemm.cc gemm_test.cc gemm_cuda.cu)\n"), [])

    def test_test_beside_header(self):
        gone = {"src__ops__gemm_test_dot_cc": None, "src__ops__CMakeLists_dot_txt": "a(gemm.cc)\n"}
        self.assertEqual(rules(**gone), ["test-beside"])
        self.assertEqual(rules(**gone, tests__house_rules_exceptions_dot_json='{"src/ops/gemm.h": "why"}'), [])

    def test_exceptions_only_shrink(self):
        self.assertEqual(rules(tests__house_rules_exceptions_dot_json='{"src/ops/gemm.h": "why"}'), ["test-beside"])
        self.assertEqual(rules(tests__house_rules_exceptions_dot_json='{"src/ops/gone.h": "why"}'), ["test-beside"])

    def test_reachable(self):
        self.assertEqual(rules(src__ops__lost_dot_cc="int x();\n"), ["reachable"])
        self.assertEqual(rules(src__ops__lost_dot_h="#pragma once\n", src__ops__lost_test_dot_cc="\n",
                               src__ops__CMakeLists_dot_txt="a(gemm.cc gemm_test.cc lost_test.cc)\n"), ["reachable"])
        self.assertEqual(rules(src__ops__CMakeLists_dot_txt="a(gemm.cc gemm_test.cc gone.cc)\n"), ["reachable"])
        self.assertEqual(rules(src__ops__CMakeLists_dot_txt="a(gemm.cc) # gemm_test.cc\n"), ["reachable"])

    def test_readme(self):
        self.assertEqual(rules(src__ops__README_dot_md=None), ["readme"])
        self.assertEqual(rules(src__ops__README_dot_md="x\n" * 61), ["readme"])

    def test_sizes(self):
        self.assertEqual(self.with_body("int g() {\n" + "  x();\n" * 68 + "}\n"), [])
        self.assertEqual(self.with_body("int g() {\n" + "  x();\n" * 69 + "}\n"), ["function-length"])
        self.assertEqual(self.with_body("struct A {\n  int g() const {\n" + "    x();\n" * 70 + "  }\n};\n"),
                         ["function-length"])
        self.assertEqual(self.with_body("namespace {\nstruct A {\n" + "  int x;\n" * 100 + "};\n}\n"), [])
        self.assertEqual(self.with_body("int x;\n" * 801), ["file-length"])

    def test_function_lengths_sees_every_shape(self):
        shapes = ("template <class T>\nint g(T t) {\n%s}\n", "A::A(int x) : b_(x), c_{1} {\n%s}\n",
                  "auto g(int x) -> int {\n%s}\n", "class A {\n public:\n  bool operator==(const A& o) const {\n%s}\n};\n",
                  "namespace a {\nint g(std::function<void()> f) {\n%s}\n}\n")
        for shape in shapes:
            self.assertEqual(self.with_body(shape % ("  x();\n" * 75)), ["function-length"], shape)

    def test_text(self):
        self.assertEqual(self.with_body("// caf\u00e9\n"), ["ascii"])
        self.assertEqual(self.with_body("int\tx;\n"), ["tab"])
        self.assertEqual(self.with_body("int x; \n"), ["trailing-space"])
        self.assertEqual(self.with_body("// TODO: later\n"), ["todo"])
        self.assertEqual(self.with_body("// TODO(12): later\n"), [])
        self.assertEqual(self.with_body('// see /work/shared/x\n'), ["machine-path"])
        self.assertEqual(self.with_body('// see /root/x\n'), ["machine-path"])
        self.assertEqual(self.with_body('#include "ops/gemm.h"\n'), ["include-twice"])
        self.assertEqual(rules(src__ops__gemm_dot_h="int f();\n"), ["pragma-once"])

    def test_links(self):
        self.assertEqual(rules(docs__a_dot_md="[x](b.md)\n"), ["link"])
        self.assertEqual(rules(docs__a_dot_md="![x](b.png)\n"), ["link"])
        self.assertEqual(rules(docs__a_dot_md="[x](../src/ops/gemm.h) [y](https://example.org) [z](#there)\n"), [])

    def test_runbooks(self):
        base = {"src__base__README_dot_md": "#\n", "src__base__CMakeLists_dot_txt": "a(status.cc status_test.cc)\n",
                "src__base__status_test_dot_cc": "\n", "src__base__status_dot_cc": '#include "base/status.h"\n',
                "src__base__status_dot_h": "#pragma once\nenum class StatusCode : int {\n  kIo = 74,\n};\n"}
        self.assertEqual(rules(**base), ["runbook"])
        self.assertEqual(rules(**base, **{"docs__runbooks__exit-74_dot_md": "#\n"}), [])

    def test_findings_name_the_line(self):
        found = findings(src__ops__gemm_dot_cc=GEMM_CC + "\nint g() {\n  throw 1;\n}\n")
        self.assertEqual([(path, line) for path, line, _, _ in found], [("src/ops/gemm.cc", 4)])


if __name__ == "__main__":
    unittest.main()
