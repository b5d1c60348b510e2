package jinja

// expr is an expression.
type expr interface{ eval(r *run) any }

// stmt is a statement, or text.
type stmt interface{ exec(r *run) flow }

// flow says how a block goes on after a statement.
type flow int

const (
	goOn flow = iota
	breakLoop
	continueLoop
)

// Expressions.
type (
	constant struct{ value any }
	variable struct{ name string }
	listOf   struct {
		items []expr
		tuple bool
	}
	dictOf struct{ keys, values []expr }
	// attribute is x.name.
	attribute struct {
		of   expr
		name string
	}
	// item is x[index].
	item struct{ of, index expr }
	// slice is x[from:to:step]; nil where left out.
	slice    struct{ of, from, to, step expr }
	callExpr struct {
		fn   expr
		args argExprs
	}
	filterExpr struct {
		of   expr
		call filterCall
	}
	testExpr struct {
		of     expr
		name   string
		args   argExprs
		negate bool
	}
	unary struct {
		op string // not, -, +
		of expr
	}
	binary struct {
		op   string
		l, r expr
	}
	logic struct {
		and  bool
		l, r expr
	}
	// comparison is a chain: a < b < c.
	comparison struct {
		first expr
		ops   []string
		rest  []expr
	}
	conditional struct{ then, cond, otherwise expr } // otherwise may be nil
)

// filterCall is a filter and its arguments.
type filterCall struct {
	name string
	args argExprs
}

// argExprs are the arguments of a call.
type argExprs struct {
	pos   []expr
	names []string // of those by name
	named []expr
}

// Statements.
type (
	textStmt   struct{ text string }
	outputStmt struct {
		line int
		of   expr
	}
	ifStmt struct {
		line      int
		conds     []expr
		blocks    [][]stmt
		otherwise []stmt
	}
	forStmt struct {
		line       int
		targets    []string
		over, cond expr // cond may be nil
		body, none []stmt
	}
	setStmt struct {
		line    int
		targets []string
		of      string // the namespace whose attribute is set; empty: a variable
		value   expr   // nil: the block
		body    []stmt
		filters []filterCall // applied to the block
	}
	macroStmt struct {
		line     int
		name     string
		params   []string
		defaults []expr // of the last parameters
		body     []stmt
	}
	callStmt struct {
		line int
		call *callExpr
		with macroStmt // what caller() renders
	}
	scopeStmt struct { // with, filter and generation blocks
		line    int
		names   []string
		values  []expr
		filters []filterCall
		body    []stmt
	}
	jumpStmt struct{ to flow }
)
