// Package clients_test uploads with real clients, as npm has them, in a real
// browser, by the pages of examples/clients.
package clients_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/postern-go/postern/e2e/internal/program"
)

// nodeModules is the folder that npm made.
var nodeModules string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	if err := install(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	remove, err := program.Build("clients")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer remove()
	return m.Run()
}

// install gets the packages, those that build the client included, unless they are there.
func install() error {
	examples, err := program.Examples()
	if err != nil {
		return err
	}
	nodeModules = filepath.Join(examples, "clients", "node_modules")
	for _, folder := range []string{"examples/clients", "client"} {
		script := exec.Command(filepath.Join(examples, "..", "scripts", "npm"), folder)
		script.Stdout, script.Stderr = os.Stderr, os.Stderr
		if err := script.Run(); err != nil {
			return fmt.Errorf("scripts/npm: %w", err)
		}
	}
	return nil
}
