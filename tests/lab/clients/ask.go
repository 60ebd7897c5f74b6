// Go's own resolver, where it is built without cgo: see ask.c for what comes in and goes out.
package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"strings"
)

func find(method, name string) ([]string, error) {
	if method == "addresses" {
		return net.DefaultResolver.LookupHost(context.Background(), name)
	}
	var found []string
	_, records, err := net.LookupSRV("", "", name)
	for _, each := range records {
		found = append(found, fmt.Sprintf("%d:%s", each.Port, each.Target))
	}
	return found, err
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		method, name, _ := strings.Cut(lines.Text(), " ")
		if found, err := find(method, name); err != nil {
			fmt.Println("-", err)
		} else {
			fmt.Println(strings.Join(found, " "))
		}
	}
}
