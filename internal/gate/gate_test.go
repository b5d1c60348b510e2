package gate

import (
	"errors"
	"testing"
)

func TestGate(t *testing.T) {
	ended, failure := 0, errors.New("end")
	end := func() error {
		ended++
		return failure
	}
	var g Gate
	for range 2 {
		if !g.Enter() || g.Closed() {
			t.Fatal("an open gate lets nobody in")
		}
	}
	g.Leave()
	if err := g.Close(end); err != nil || ended != 0 {
		t.Errorf("closed with somebody inside: %v, ended %d times", err, ended)
	}
	if g.Enter() || !g.Closed() {
		t.Error("a closed gate lets somebody in")
	}
	g.Leave()
	if err := g.Close(end); err != nil || ended != 1 {
		t.Errorf("after the last one: %v, ended %d times", err, ended)
	}
	var empty Gate
	if err := empty.Close(end); err != failure || ended != 2 {
		t.Errorf("closed with nobody inside: %v, ended %d times", err, ended)
	}
}
