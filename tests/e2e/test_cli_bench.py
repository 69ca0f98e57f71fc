"""`headrace bench` and the harness, on a benchmark of this test's own."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

DUMMY = '''"""Which way of holding memory holds less?

Question: does the harness see it?
"""

from _harness import Benchmark, Run

bench = Benchmark("dummy", full={"mib": 64}, tiny={"mib": 32}, runs=2)


@bench.prepare
def prepare(run: Run) -> None:
    (run.inputs / "data").write_bytes(bytes(1000))


@bench.case("small", packages=("numpy",))
def small(run: Run):
    data = (run.inputs / "data").read_bytes()
    (run.outputs / "out").write_bytes(data)
    yield
    return {"work": len(data) / 1e6, "left": [path.name for path in run.outputs.iterdir()]}


@bench.case("large")
def large(run: Run):
    held = b"x" * (run.size["mib"] << 20)
    end = __import__("time").process_time() + 0.3
    while __import__("time").process_time() < end:
        pass
    return {"work": 1.0}


@bench.case("checked")
def checked(run: Run):
    yield
    data = (run.inputs / "data").read_bytes()
    yield
    held = b"x" * (run.size["mib"] << 20)
    end = __import__("time").process_time() + 0.3
    while __import__("time").process_time() < end:
        pass
    return {"right": data == bytes(1000)}


@bench.case("absent")
def absent(run: Run):
    import a_package_that_nobody_has

    yield


@bench.case("crashing")
def crashing(run: Run):
    __import__("os")._exit(7)


@bench.goal("the small one is smaller", most=1)
def smaller(cases):
    return cases["small"]["peak_rss_bytes"]["median"] / cases["large"]["peak_rss_bytes"]["median"]


@bench.goal("the absent one is fast", most=1)
def fast(cases):
    return cases["absent"]["wall_s"]["median"]


@bench.goal("the large one is tiny", most=1, unit="MB")
def tiny(cases):
    return cases["large"]["peak_rss_bytes"]["median"] / 1e6


if __name__ == "__main__":
    bench.main()
'''


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("_case.py", "_goals.py", "_harness.py", "_rounds.py", "_tables.py"):
        shutil.copy(ROOT / "benchmarks" / name, tmp_path)
    (tmp_path / "dummy.py").write_text(DUMMY)
    return tmp_path


def bench(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "headrace.cli", "bench", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)


def test_a_full_run_keeps_its_result_and_lists_the_rivals_that_failed(folder: Path) -> None:
    done = bench("dummy", "--folder", str(folder), "--json")
    assert done.returncode == 0, done.stderr
    (result,) = json.loads(done.stdout)
    assert result == json.loads((folder / "results" / "dummy.json").read_text())
    cases = {case["name"]: case for case in result["cases"]}
    assert cases["small"]["wall_s"]["min"] <= cases["small"]["wall_s"]["median"] <= cases["small"]["wall_s"]["max"]
    assert len(cases["small"]["wall_s"]["all"]) == result["runs"] == 2
    assert cases["small"]["ratio"] == 1.0
    assert cases["small"]["facts"]["left"] == ["out"], "outputs of another run are still there"
    assert cases["small"]["versions"].keys() == {"numpy"}
    assert "a_package_that_nobody_has" in cases["absent"]["error"]
    assert "exit code 7" in cases["crashing"]["error"]
    assert [goal["met"] for goal in result["goals"]] == [True, None, False]
    smaller, fast, tiny = result["goals"]
    assert (0 < smaller["measured"] < smaller["most"] == 1, fast["measured"]) == (True, None)
    assert tiny["measured"] == cases["large"]["peak_rss_bytes"]["median"] / 1e6
    assert result["machine"]["cpu_count"] >= 1
    assert result["cache"] == "warm"


def test_memory_and_processor_time_belong_to_the_case_alone(folder: Path) -> None:
    done = bench("dummy", "--folder", str(folder), "--json", "--runs", "1")
    cases = {case["name"]: case for case in json.loads(done.stdout)[0]["cases"]}
    held = cases["large"]["peak_rss_bytes"]["median"] - cases["small"]["peak_rss_bytes"]["median"]
    assert held == pytest.approx(64 << 20, abs=2 << 20)
    spent = cases["large"]["cpu_s"]["median"]
    assert spent >= 0.3
    assert cases["large"]["cpu_process_s"]["median"] >= spent + cases["large"]["cpu_start_s"]["median"] - 0.01


def test_what_a_case_does_after_its_second_yield_is_not_measured(folder: Path) -> None:
    done = bench("dummy", "--folder", str(folder), "--json", "--runs", "1")
    cases = {case["name"]: case for case in json.loads(done.stdout)[0]["cases"]}
    checked = cases["checked"]
    assert checked["facts"] == {"right": True}
    assert checked["cpu_s"]["median"] < 0.2
    assert checked["cpu_process_s"]["median"] > 0.3
    assert checked["peak_rss_bytes"]["median"] < cases["large"]["peak_rss_bytes"]["median"] - (32 << 20)


def test_a_large_parent_does_not_show_in_the_peak_of_a_case(folder: Path) -> None:
    command = [sys.executable, str(folder / "dummy.py"), "--case", "small", "--json"]
    code = f"import subprocess; held = b'x' * (256 << 20); subprocess.run({command!r}, check=True)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["peak_rss_bytes"] < 64 << 20


def test_a_tiny_run_prints_a_table_and_keeps_nothing(folder: Path) -> None:
    done = bench("--folder", str(folder), "--tiny")
    assert done.returncode == 0, done.stderr
    assert "Which way of holding memory holds less?" in done.stdout
    assert "tiny sizes" in done.stdout
    assert done.stdout.count("not judged") == 3, "tiny sizes judge goals"
    assert "absent" in done.stdout
    assert not (folder / "results").exists()


@pytest.mark.soak
@pytest.mark.parametrize("name", sorted(path.stem for path in (ROOT / "benchmarks").glob("[!_]*.py")))
def test_each_benchmark_of_the_project_runs_at_tiny_sizes(name: str) -> None:
    done = bench(name, "--tiny", "--json")
    assert done.returncode == 0, done.stderr
    (result,) = json.loads(done.stdout)
    failed = {case["name"]: case["error"] for case in result["cases"] if "error" in case}
    assert all("ModuleNotFoundError" in error for error in failed.values()), failed


def test_a_case_that_hangs_is_killed_and_listed(folder: Path) -> None:
    text = DUMMY.replace("runs=2", "timeout_s=1.5").replace('__import__("os")._exit(7)', '__import__("time").sleep(60)')
    (folder / "dummy.py").write_text(text)
    done = bench("dummy", "--folder", str(folder), "--tiny", "--json")
    cases = {case["name"]: case for case in json.loads(done.stdout)[0]["cases"]}
    assert "killed after 1.5 s" in cases["crashing"]["error"]


def test_a_subject_that_fails_fails_the_run(folder: Path) -> None:
    (folder / "dummy.py").write_text(
        DUMMY.replace('data = (run.inputs / "data").read_bytes()', "raise OSError('gone')")
    )
    done = bench("dummy", "--folder", str(folder), "--tiny")
    assert done.returncode == 1
    assert "failed: OSError: gone" in done.stdout


def test_the_list_names_the_questions_and_runs_none(folder: Path) -> None:
    done = bench("--list", "--folder", str(folder))
    assert done.stdout == "dummy  Which way of holding memory holds less?\n"


def test_an_unknown_benchmark_is_a_usage_error(folder: Path) -> None:
    done = bench("smart", "--folder", str(folder))
    assert done.returncode == 2
    assert "smart" in done.stderr
    assert "dummy" in done.stderr


def test_the_readme_tables_are_made_of_the_results(folder: Path) -> None:
    bench("dummy", "--folder", str(folder), "--runs", "1")
    readme = folder / "README.md"
    readme.write_text("before\n<!-- bench: dummy -->\nstale figures\n<!-- /bench -->\nafter\n")
    script = [sys.executable, str(ROOT / "scripts" / "readme_tables.py"), str(readme)]
    script += ["--results", str(folder / "results")]
    stale = subprocess.run([*script, "--check"], capture_output=True, text=True, check=False)
    assert (stale.returncode, "out of date" in stale.stderr) == (1, True)
    subprocess.run(script, check=True)
    text = readme.read_text()
    assert "| small |" in text
    assert re.search(r"^- Goal: the small one is smaller: 0\.\d+, met\.$", text, re.MULTILINE)
    assert re.search(r"^- Goal: the large one is tiny: [\d.]+ MB, not met\.$", text, re.MULTILINE)
    assert "- Goal: the absent one is fast: not judged.\n" in text
    assert "stale figures" not in text
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    subprocess.run([*script, "--check"], check=True)
