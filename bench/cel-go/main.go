// Command cel-go evaluates CEL as a Kubernetes API server does, for comparison.
//
//	go run . bench ../cel-rules.json    microseconds by rule, as JSON
//	go run . record < questions         answers, a line of JSON each: the data of cel/test/data
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/checker"
	"k8s.io/apimachinery/pkg/util/version"
	"k8s.io/apiserver/pkg/cel/environment"
	"k8s.io/apiserver/pkg/cel/library"
)

func main() {
	if len(os.Args) == 3 && os.Args[1] == "bench" {
		bench(os.Args[2])
	} else if len(os.Args) == 2 && os.Args[1] == "record" {
		record()
	} else {
		fmt.Fprintln(os.Stderr, "usage: bench RULES | record")
		os.Exit(2)
	}
}

func envOf(v string, vars map[string]string) (*cel.Env, error) {
	opts := []cel.EnvOption{}
	for name, t := range vars {
		opts = append(opts, cel.Variable(name, typeOf(t)))
	}
	set, err := environment.MustBaseEnvSet(version.MustParseGeneric(v)).Extend(
		environment.VersionedOptions{IntroducedVersion: version.MajorMinor(1, 0), EnvOptions: opts})
	if err != nil {
		return nil, err
	}
	return set.Env(environment.NewExpressions)
}

func typeOf(s string) *cel.Type {
	types := map[string]*cel.Type{
		"int": cel.IntType, "uint": cel.UintType, "double": cel.DoubleType, "string": cel.StringType, "bool": cel.BoolType,
		"bytes": cel.BytesType, "list(int)": cel.ListType(cel.IntType), "list(string)": cel.ListType(cel.StringType),
		"map(string, string)": cel.MapType(cel.StringType, cel.StringType), "map(string, int)": cel.MapType(cel.StringType, cel.IntType),
	}
	if t, ok := types[s]; ok {
		return t
	}
	return cel.DynType
}

// ints makes integral numbers ints, as the API server's decoder does.
func ints(v any) any {
	switch t := v.(type) {
	case float64:
		if t == float64(int64(t)) {
			return int64(t)
		}
	case map[string]any:
		for k := range t {
			t[k] = ints(t[k])
		}
	case []any:
		for i := range t {
			t[i] = ints(t[i])
		}
	}
	return v
}

func bench(path string) {
	text, err := os.ReadFile(path)
	check(err)
	var file struct {
		Object any
		Rules  []struct{ Name, Rule string }
	}
	check(json.Unmarshal(text, &file))
	env, err := envOf("1.36", map[string]string{"object": "dyn"})
	check(err)
	bindings := map[string]any{"object": ints(file.Object)}
	times := map[string]map[string]float64{}
	for _, r := range file.Rules {
		program := compile(env, r.Rule)
		times[r.Name] = map[string]float64{
			"prepared": micros(1000, func() { _, _, err := program.Eval(bindings); check(err) }),
			"compile":  micros(50, func() { compile(env, r.Rule) }),
		}
	}
	check(json.NewEncoder(os.Stdout).Encode(times))
}

func compile(env *cel.Env, rule string) cel.Program {
	ast, issues := env.Compile(rule)
	check(issues.Err())
	program, err := env.Program(ast)
	check(err)
	return program
}

// micros is the fastest of several short rounds, as in bench/cel.ts.
func micros(n int, run func()) float64 {
	fastest := time.Duration(1<<63 - 1)
	for round := 0; round < 25; round++ {
		start := time.Now()
		for i := 0; i < n; i++ {
			run()
		}
		fastest = min(fastest, time.Since(start))
	}
	return float64(fastest.Nanoseconds()) / 1000 / float64(n)
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

type question struct {
	Expr, Version string
	Vars          map[string]string
	Bind          map[string]any
}

type answer struct {
	Type  string `json:"type,omitempty"`
	Error string `json:"error,omitempty"`
	Stage string `json:"stage,omitempty"`
	Value string `json:"value,omitempty"`
	Cost  uint64 `json:"cost"`
	Min   uint64 `json:"min"`
	Max   uint64 `json:"max"`
}

func record() {
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(make([]byte, 1<<20), 1<<26)
	out := json.NewEncoder(os.Stdout)
	for in.Scan() {
		var q question
		check(json.Unmarshal(in.Bytes(), &q))
		check(out.Encode(q.answer()))
	}
}

func (q question) answer() (a answer) {
	defer func() {
		if fault := recover(); fault != nil {
			a.Error, a.Stage = fmt.Sprint(fault), "panic"
		}
	}()
	env, err := envOf(q.Version, q.Vars)
	if err != nil {
		return answer{Error: err.Error(), Stage: "env"}
	}
	ast, issues := env.Compile(q.Expr)
	if issues.Err() != nil {
		return answer{Error: issues.Err().Error(), Stage: "compile"}
	}
	a.Type = ast.OutputType().String()
	if estimate, err := env.EstimateCost(ast, &library.CostEstimator{SizeEstimator: noSizes{}}); err == nil {
		a.Min, a.Max = estimate.Min, estimate.Max
	}
	program, err := env.Program(ast)
	if err != nil {
		a.Error, a.Stage = err.Error(), "program"
		return a
	}
	bindings, _ := ints(any(q.Bind)).(map[string]any)
	value, details, err := program.Eval(bindings)
	if details != nil && details.ActualCost() != nil {
		a.Cost = *details.ActualCost()
	}
	if err != nil {
		a.Error, a.Stage = err.Error(), "eval"
		return a
	}
	if message, err := cel.RefValueToValue(value); err == nil {
		a.Value = message.String()
	} else {
		a.Value = fmt.Sprintf("%v:%v", value.Type().TypeName(), value.Value())
	}
	return a
}

type noSizes struct{}

func (noSizes) EstimateSize(checker.AstNode) *checker.SizeEstimate { return nil }
func (noSizes) EstimateCallCost(_, _ string, _ *checker.AstNode, _ []checker.AstNode) *checker.CallEstimate {
	return nil
}
