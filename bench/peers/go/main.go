// A plain worker pool: each goroutine takes a job from a Redis list, sends the email, and counts it in a hash.
// There is no ledger, no limit, no retry and no log. Standard library only.
//
//	pool -workers 200 -redis 127.0.0.1:6379 -url http://127.0.0.1:8025
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"html"
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

type job struct {
	Campaign string            `json:"campaign_id"`
	Row      int               `json:"row"`
	Email    string            `json:"email"`
	Fields   map[string]string `json:"fields"`
}

type mailbox struct {
	Email string `json:"email"`
	Name  string `json:"name,omitempty"`
}

type personalization struct {
	To []mailbox `json:"to"`
}

type part struct {
	Type  string `json:"type"`
	Value string `json:"value"`
}

type email struct {
	Personalizations []personalization `json:"personalizations"`
	From             mailbox           `json:"from"`
	Subject          string            `json:"subject"`
	Content          []part            `json:"content"`
	CustomArgs       map[string]string `json:"custom_args"`
}

// The texts of bench/lists.py.
var words = strings.Repeat("Our summer collection is here, and so are the prices that you have been waiting for. ", 11)

func render(j job) email {
	name, city := j.Fields["first_name"], j.Fields["city"]
	text := "Dear " + name + ",\n" + words + "\n" + city + "\n"
	page := "<html><body><h1>Dear " + html.EscapeString(name) + "</h1><p>" + words + "</p><p>" +
		html.EscapeString(city) + "</p></body></html>"
	return email{
		Personalizations: []personalization{{To: []mailbox{{Email: j.Email}}}},
		From:             mailbox{Email: "news@shop.test", Name: "News"},
		Subject:          name + ", news from " + city,
		Content:          []part{{"text/plain", text}, {"text/html", page}},
		CustomArgs:       map[string]string{"campaign_id": j.Campaign, "row": strconv.Itoa(j.Row)},
	}
}

// connection speaks as much of Redis' protocol as the pool needs.
type connection struct {
	in  *bufio.Reader
	out *bufio.Writer
}

func connect(address string) (*connection, error) {
	socket, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	return &connection{bufio.NewReader(socket), bufio.NewWriter(socket)}, nil
}

func (c *connection) do(words ...string) ([]string, error) {
	fmt.Fprintf(c.out, "*%d\r\n", len(words))
	for _, word := range words {
		fmt.Fprintf(c.out, "$%d\r\n%s\r\n", len(word), word)
	}
	if err := c.out.Flush(); err != nil {
		return nil, err
	}
	return c.reply()
}

func (c *connection) reply() ([]string, error) {
	line, err := c.in.ReadString('\n')
	if err != nil {
		return nil, err
	}
	kind, rest := line[0], strings.TrimSpace(line[1:])
	count, _ := strconv.Atoi(rest)
	switch {
	case kind == '-':
		return nil, errors.New(rest)
	case kind == '$' && count >= 0:
		text := make([]byte, count+2)
		_, err := io.ReadFull(c.in, text)
		return []string{string(text[:count])}, err
	case kind == '*' && count > 0:
		var found []string
		for ; count > 0; count-- {
			item, err := c.reply()
			if err != nil {
				return nil, err
			}
			found = append(found, item...)
		}
		return found, nil
	case kind == '$' || kind == '*':
		return nil, nil
	}
	return []string{rest}, nil
}

func send(client *http.Client, url string, j job) bool {
	body, _ := json.Marshal(render(j))
	request, _ := http.NewRequest("POST", url+"/v3/mail/send", bytes.NewReader(body))
	request.Header.Set("Authorization", "Bearer SG.key")
	request.Header.Set("Content-Type", "application/json")
	response, err := client.Do(request)
	if err != nil {
		return false
	}
	defer response.Body.Close()
	io.Copy(io.Discard, response.Body)
	return response.StatusCode == http.StatusAccepted
}

func work(redis, url string, client *http.Client) {
	c, err := connect(redis)
	for err == nil {
		var found []string
		if found, err = c.do("BLPOP", "jobs", "0"); err != nil || len(found) < 2 {
			continue
		}
		var j job
		if err = json.Unmarshal([]byte(found[1]), &j); err != nil {
			continue
		}
		state := "failed"
		if send(client, url, j) {
			state = "sent"
		}
		_, err = c.do("HINCRBY", "progress:"+j.Campaign, state, "1")
	}
	log.Fatal(err)
}

func main() {
	workers := flag.Int("workers", 200, "goroutines")
	redis := flag.String("redis", "127.0.0.1:6379", "host:port of Redis")
	url := flag.String("url", "http://127.0.0.1:8025", "the provider's base URL")
	flag.Parse()
	client := &http.Client{Transport: &http.Transport{
		MaxIdleConns: *workers, MaxIdleConnsPerHost: *workers, IdleConnTimeout: time.Minute,
	}}
	for i := 1; i < *workers; i++ {
		go work(*redis, *url, client)
	}
	work(*redis, *url, client)
}
